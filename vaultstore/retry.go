package vaultstore

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/certsync/certsync/reconcile/httplimit"
)

// limits is how long a request may take.
type limits struct {
	answer    time.Duration // until Vault has answered; VAULT_CLIENT_TIMEOUT is used instead when it is set
	patience  time.Duration // for a request that Vault puts off again and again, all attempts together
	retryWait time.Duration // before the second attempt; 0: vault/api's
	closing   time.Duration // for giving up tokens: who interrupts a run waits for it
}

// With a rate limit quota a run takes as long as the quota lets it, so long as every request gets its turn.
var usualLimits = limits{answer: 30 * time.Second, patience: 2 * time.Minute, closing: 5 * time.Second}

// within is l for somebody who waits for a request no longer than patience; 0: as long as l says.
func (l limits) within(patience time.Duration) limits {
	if patience > 0 {
		l.answer, l.patience = min(l.answer, patience), patience
	}
	return l
}

// apply makes config's client work by l, and returns l with what the environment says.
func (l limits) apply(config *api.Config) limits {
	if os.Getenv(api.EnvVaultClientTimeout) != "" {
		l.answer = config.Timeout
	}
	// vault/api's own timeout spans all attempts and would cut the patience short; http.Client's is for one attempt.
	config.Timeout, config.HttpClient.Timeout = 0, l.answer
	if l.retryWait > 0 {
		config.MinRetryWait, config.MaxRetryWait = l.retryWait, l.retryWait
	}
	policy := retryPolicy{failures: config.MaxRetries, backoff: config.Backoff}
	config.CheckRetry, config.Backoff = policy.check, policy.wait
	config.MaxRetries = math.MaxInt32 // policy counts
	return l
}

// retryPolicy is vault/api's for what fails (5xx, 412, connections: VAULT_MAX_RETRIES times, 2 by default), but
// repeats what Vault only puts off for as long as the call's context lasts.
type retryPolicy struct {
	failures int
	backoff  func(low, high time.Duration, attempt int, resp *http.Response) time.Duration
}

// attempts is what became of the attempts at one call. It travels in the call's context: a retry policy is told nothing else.
type attempts struct {
	failures int
	delayed  string // what Vault does while it puts requests off, if it put the last attempt off or said when to come back
}

type attemptsKey struct{}

func (p retryPolicy) check(ctx context.Context, resp *http.Response, err error) (bool, error) {
	c, ok := ctx.Value(attemptsKey{}).(*attempts)
	if !ok || ctx.Err() != nil {
		return false, ctx.Err()
	}
	c.delayed = delay(resp)
	switch {
	case c.delayed != "":
		return true, nil
	case timedOut(err), errors.As(err, new(*httplimit.TooLarge)), says(resp, http.StatusServiceUnavailable, "Vault is sealed"):
		return false, nil // the next attempt would find the same
	}
	retry, err := api.DefaultRetryPolicy(ctx, resp, err)
	if retry {
		c.failures++
		c.delayed = maintenance(resp)
	}
	return retry && c.failures <= p.failures, err
}

func (p retryPolicy) wait(low, high time.Duration, attempt int, resp *http.Response) time.Duration {
	switch {
	case resp != nil && resp.StatusCode == http.StatusBadRequest:
		return low / 4 // an upgrade, which takes an empty mount less than a second
	case resp != nil && resp.StatusCode == http.StatusTooManyRequests:
		// Retry-After is in whole seconds, the same for all that were turned away, and may be 0, or so large that it overflows.
		return max(p.backoff(low, high, attempt, resp), 0) + p.backoff(low/10, high/10, 0, nil)
	}
	return p.backoff(low, high, attempt, resp)
}

// delay says what Vault does while it puts a request off, or nothing. Nothing was read or written then.
func delay(resp *http.Response) string {
	switch {
	case resp == nil:
		return ""
	case says(resp, http.StatusTooManyRequests, "lease count quota exceeded"):
		return "refuses new tokens because of a lease count quota"
	case resp.StatusCode == http.StatusTooManyRequests:
		return "refuses requests because of a rate limit quota"
	case says(resp, http.StatusBadRequest, "Upgrading from non-versioned"),
		says(resp, http.StatusBadRequest, "Waiting for the primary to upgrade from non-versioned"):
		return "upgrades the mount to KV version 2"
	}
	return ""
}

// maintenance says what a server does that answers 503 and when to come back, or nothing. p.wait waits for as long as it says,
// which may be longer than the call's context lasts.
func maintenance(resp *http.Response) string {
	if resp == nil || resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		return ""
	}
	return "answers 503 Service Unavailable with a Retry-After"
}

// says looks for text in an answer with that status, and leaves the body to be read again.
func says(resp *http.Response, status int, text string) bool {
	if resp == nil || resp.StatusCode != status {
		return false
	}
	const enough = 64 << 10
	start, err := io.ReadAll(io.LimitReader(resp.Body, enough))
	rest := io.Reader(resp.Body)
	if err != nil {
		rest = failing{err}
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(start), rest), resp.Body}
	return strings.Contains(string(start), text)
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// wholeAnswer returns the answer to a question when its whole body is there. An answer that breaks off is then an error of
// the connection, which retryPolicy repeats; vault/api reads the body after its last attempt. An answer to a write or to a
// login is returned as it comes: Vault has done what was asked, and would do it twice.
type wholeAnswer struct {
	next        http.RoundTripper // bounds the body
	connections *http.Transport   // below next
}

// CloseIdleConnections is called by http.Client.
func (t wholeAnswer) CloseIdleConnections() { t.connections.CloseIdleConnections() }

// RoundTrip implements http.RoundTripper.
func (t wholeAnswer) RoundTrip(request *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(request)
	if err != nil || !asks(request) {
		return resp, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// asks reports whether a request changes nothing in Vault.
func asks(request *http.Request) bool {
	return request.Method == http.MethodGet || request.Method == "LIST" || strings.HasSuffix(request.URL.Path, "/"+capabilitiesSelf)
}

func timedOut(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}
