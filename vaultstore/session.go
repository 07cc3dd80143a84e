package vaultstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/certsync/certsync/reconcile"
)

// session is what a Store that logs in has of Vault. A token of its own is renewed as long as Vault lets it, then
// another one takes its place; the old one stays good for the requests that go with it, and all are revoked in the end.
type session struct {
	login Login
	over  chan struct{} // closed by Close

	mu      sync.Mutex
	model   *api.Client       // without a token; only to be copied
	current string            // the token that requests go with
	tokens  []*api.SecretAuth // all that there ever were
	attempt *attempt          // to log in, if one is under way
	closed  bool
}

// attempt is one for all who wait for another token.
type attempt struct {
	done chan struct{}
	err  error // set before done is closed
}

var errClosed = errors.New("the Store is closed")

// newSession takes a client without a token.
func newSession(login Login, client *api.Client) *session {
	return &session{login: login, over: make(chan struct{}), model: client.WithNamespace(client.Namespace())}
}

// client returns a client for one token, or for none. Clients share their connections.
func (n *session) client(token string) *api.Client {
	n.mu.Lock() // copying a client, vault/api does not lock it
	defer n.mu.Unlock()
	c := n.model.WithNamespace(n.model.Namespace())
	c.SetToken(token)
	return c
}

// exchange gets another token in place of old by logging in, once for all who ask meanwhile.
//
// The attempt itself does not end with ctx: Vault would make a token all the same, and nobody could revoke it. Close
// waits for its answer.
func (s *Store) exchange(ctx context.Context, old string) error {
	n := s.session
	n.mu.Lock()
	a := n.attempt
	switch {
	case n.closed:
		n.mu.Unlock()
		return errClosed
	case n.current != old: // another request found out first
		n.mu.Unlock()
		return nil
	case a == nil:
		a = &attempt{done: make(chan struct{})}
		n.attempt = a
		go s.try(context.WithoutCancel(ctx), a)
	}
	n.mu.Unlock()
	select {
	case <-a.done:
		return a.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// try logs in, and has all requests from then on go with what that gives.
func (s *Store) try(ctx context.Context, a *attempt) {
	n := s.session
	auth, err := s.logIn(ctx)
	n.mu.Lock()
	defer n.mu.Unlock()
	if a.err = err; err == nil {
		n.current, n.tokens = auth.ClientToken, append(n.tokens, auth)
		s.client.SetToken(auth.ClientToken)
		go s.renewToken(auth)
	}
	n.attempt = nil
	close(a.done)
}

// renewToken renews a token while Vault lets it, and then logs in again. If that fails, the token is of use for a while, and
// the request that finds it expired tries again and says what is wrong.
func (s *Store) renewToken(auth *api.SecretAuth) {
	n := s.session
	if auth.LeaseDuration == 0 {
		return // it does not end
	}
	// The watcher begins by renewing. Most runs end before half of the token's time is over.
	half := time.NewTimer(time.Duration(auth.LeaseDuration) * time.Second / 2)
	defer half.Stop()
	select {
	case <-n.over:
		return
	case <-half.C:
	}
	rest := *auth
	rest.LeaseDuration /= 2
	watcher, err := n.client("").NewLifetimeWatcher(&api.LifetimeWatcherInput{Secret: &api.Secret{Auth: &rest}})
	if err != nil {
		return // only without a secret
	}
	go watcher.Start()
	defer watcher.Stop()
	select {
	case <-n.over:
	case <-watcher.DoneCh(): // whatever ended it: a token of type batch, for one, cannot be renewed
		_ = s.exchange(context.Background(), auth.ClientToken)
	}
}

// CloseIdle closes the connections that wait for a request. A later request opens another.
func (s *Store) CloseIdle() { s.client.CloneConfig().HttpClient.CloseIdleConnections() }

// Close revokes the tokens that logging in has given, after which the Store is of no use. A token that was given it
// leaves alone. It goes on after the end of ctx, which is when it matters most, for a few seconds.
//
// It closes the connections to Vault, because a run for many clusters would otherwise keep those of each.
func (s *Store) Close(ctx context.Context) error {
	defer s.CloseIdle()
	if s.session == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.limits.closing)
	defer cancel()
	tokens, unknown := s.session.end(ctx)
	failures := make([]error, len(tokens))
	cutOff := s.each(ctx, len(tokens), func(ctx context.Context, i int) error {
		failures[i] = s.revoke(ctx, tokens[i])
		return nil
	})
	err := cmp.Or(append(failures, unknown, cutOff)...)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		err = fmt.Errorf("waiting for Vault at %s: no answer came in %s", s.address, s.limits.closing)
	}
	if reconcile.Hint(err) == "" {
		err = reconcile.WithHint(err, "the token stays valid until it expires; token_ttl and token_max_ttl of the role say when")
	}
	return fmt.Errorf("revoking the Vault token that certsync got by logging in: %w", err)
}

// end keeps new tokens from coming, and returns those that came.
func (n *session) end(ctx context.Context) (tokens []*api.SecretAuth, err error) {
	n.mu.Lock()
	if !n.closed {
		n.closed = true
		close(n.over)
	}
	a := n.attempt
	n.mu.Unlock()
	if a != nil {
		select {
		case <-a.done:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	tokens, n.tokens = n.tokens, nil
	return tokens, err
}

// revoke ends a token. One of type batch has no accessor, and Vault can neither revoke nor renew it.
func (s *Store) revoke(ctx context.Context, auth *api.SecretAuth) error {
	if auth.Accessor == "" {
		return nil
	}
	client := s.session.client(auth.ClientToken)
	const path = "auth/token/revoke-self"
	err := s.send(ctx, allow(path, "update")+`, as the policy "default" does`, func(ctx context.Context) error {
		return client.Auth().Token().RevokeSelfWithContext(ctx, "") // of the client's token
	})
	if r, denied := refused(err, http.StatusForbidden); denied && r.says(invalidToken) {
		return nil // it has ended
	}
	return err
}
