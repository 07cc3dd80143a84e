package vaultstore

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/hashicorp/vault/api"

	"github.com/certsync/certsync/reconcile"
)

// call makes one request, with all its attempts, when a slot is free. Vault does nothing for a token that has ended: a
// Store that can log in does that, and asks again.
func (s *Store) call(ctx context.Context, hint string, do func(ctx context.Context) error) error {
	var token string
	err := s.queue(ctx, hint, func(ctx context.Context) error {
		token = s.client.Token()
		return do(ctx)
	})
	if r, denied := refused(err, http.StatusForbidden); s.session == nil || !denied || !r.says(invalidToken) {
		return err
	}
	if err := s.exchange(ctx, token); err != nil {
		return err
	}
	err = s.queue(ctx, hint, do)
	if r, denied := refused(err, http.StatusForbidden); denied && r.says(invalidToken) {
		err = reconcile.WithHint(err, "Vault refuses a token that it has just issued: check the role's token_ttl and token_bound_cidrs")
	}
	return err
}

func (s *Store) queue(ctx context.Context, hint string, do func(ctx context.Context) error) error {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return s.send(ctx, hint, do)
}

// send makes one request, with all its attempts.
func (s *Store) send(ctx context.Context, hint string, do func(ctx context.Context) error) error {
	c := &attempts{}
	bounded, cancel := context.WithTimeout(context.WithValue(ctx, attemptsKey{}, c), s.limits.patience)
	defer cancel()
	err := do(bounded)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx) // the caller gave up; what Vault would have said is of no use
	}
	if err = s.explain(err, c, hint); errors.Is(err, reconcile.ErrPrecondition) && c.failures > 0 {
		return repeated{err}
	}
	return err
}

// repeated is a check-and-set that failed at a later attempt. An earlier attempt may have written, and its answer got lost.
type repeated struct{ error }

func (r repeated) Unwrap() []error { return []error{r.error, reconcile.ErrRepeated} }

// answer is Vault's envelope.
type answer[T any] struct {
	Errors []string `json:"errors"`
	Data   *T       `json:"data"`
}

// errMalformed is an answer that Vault does not give, such as a proxy's page of its own.
var errMalformed = errors.New("the answer does not come from Vault")

// errTooDeep is an answer with more nested objects than encoding/json reads, 10,000. Vault before 1.20.3 stores them if somebody
// with a right to the entry writes them: its answer has one level more than the request.
var errTooDeep = errors.New("its data is nested too deeply to be read")

// decode is json.Unmarshal, with an errTooDeep.
func decode(text []byte, into any) error {
	err := json.Unmarshal(text, into)
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) && strings.HasSuffix(syntax.Error(), "exceeded max depth") {
		return errTooDeep
	}
	return err
}

// fetch reads path, and returns nil when nothing is there. For a deleted version of a secret Vault answers 404 with
// data; that is returned like any other. hint is for the case that Vault denies it.
func fetch[T any](ctx context.Context, s *Store, path string, query url.Values, hint string) (*T, http.Header, error) {
	var got answer[T]
	var header http.Header
	err := s.call(ctx, hint, func(ctx context.Context) error {
		// Not Logical().Read and List: they decode into maps, and take every 404 for "nothing there".
		resp, err := s.client.Logical().ReadRawWithDataWithContext(ctx, path, query)
		if resp == nil {
			return err
		}
		defer resp.Body.Close()
		header = resp.Header
		if err != nil && resp.StatusCode != http.StatusNotFound {
			return err
		}
		body, readErr := io.ReadAll(resp.Body) // to the end, or the connection could not be used again
		if readErr != nil {
			return readErr
		}
		malformed := decode(body, &got)
		if errors.Is(malformed, errTooDeep) {
			return malformed
		}
		return verdict(err, malformed, got.Errors, got.Data == nil)
	})
	if err != nil {
		return nil, nil, err
	}
	return got.Data, header, nil
}

// verdict tells an answer that nothing is there from all others that are 404 too: for a mount that is gone Vault says
// so in errors, and a proxy has its own page. Neither means an empty folder. notFound is nil for a 200.
func verdict(notFound, malformed error, errs []string, empty bool) error {
	nothingThere := errs != nil && len(errs) == 0 // Vault's {"errors":[]}
	switch {
	case notFound != nil && (malformed != nil || len(errs) > 0 || empty && !nothingThere):
		return notFound
	case malformed != nil, notFound == nil && empty:
		return errMalformed
	}
	return nil
}

// write puts body to path. body is not part of any error: it may hold a key.
func (s *Store) write(ctx context.Context, path string, body map[string]any, hint string) (*api.Secret, error) {
	var secret *api.Secret
	err := s.call(ctx, hint, func(ctx context.Context) (err error) {
		// Not WriteRaw: vault/api sends "null" in place of raw bytes when a standby redirects it.
		secret, err = s.client.Logical().WriteWithContext(ctx, path, body)
		return err
	})
	return secret, err
}

// each runs do for 0 to n-1, as many at once as there are slots. The first error ends all others and is returned.
func (s *Store) each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(n, cap(s.slots)) {
		workers.Go(func() {
			for i := range next {
				if err := do(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := 0; i < n && ctx.Err() == nil; i++ {
		select {
		case next <- i:
		case <-ctx.Done():
		}
	}
	close(next)
	workers.Wait()
	return context.Cause(ctx)
}
