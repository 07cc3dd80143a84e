package vaultstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
)

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waiting for %s: it did not come in 30s", what)
		}
	}
}

// TestCloseEndsConnections: whoever opens a Store for each of many clusters holds no connections of those that are done.
func TestCloseEndsConnections(t *testing.T) {
	f := newFakeVault(t)
	server := httptest.NewUnstartedServer(f)
	var connections atomic.Int64
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			connections.Add(1)
		case http.StateClosed:
			connections.Add(-1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	f.environment(t)
	t.Setenv("VAULT_ADDR", server.URL)
	s, err := open(t.Context(), Options{Owner: "prod-eu"}, quick)
	if err != nil {
		t.Fatal(err)
	}
	if connections.Load() == 0 {
		t.Fatal("no connection is kept")
	}
	s.CloseIdle()
	eventually(t, "the connections to end while it rests", func() bool { return connections.Load() == 0 })
	if _, err := s.ObserveStore(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the connections to end", func() bool { return connections.Load() == 0 })
}

// A token that was given is not ours to revoke.
func TestGivenTokenIsLeftAlone(t *testing.T) {
	f := newFakeVault(t)
	for _, method := range []string{"", "token"} {
		f.environment(t)
		s, err := open(t.Context(), Options{Owner: "prod-eu", Login: Login{Method: method}}, quick)
		if err != nil {
			t.Fatal(err)
		}
		f.forget()
		if err := s.Close(t.Context()); err != nil || len(f.log()) > 0 {
			t.Errorf("error %v, calls %q", err, f.log())
		}
	}
}

// Whatever keeps a Store from being opened, its token does not stay.
func TestRevokedWhenOpeningFails(t *testing.T) {
	f := newFakeVault(t)
	f.environment(t)
	if _, err := open(t.Context(), Options{Owner: "prod-eu", Mount: "kv", Login: asPod(t)}, quick); err == nil {
		t.Error("no error")
	}
	if diff := cmp.Diff([]string{tokenNumber(1)}, f.revoked); diff != "" {
		t.Errorf("revoked (-want +got):\n%s", diff)
	}
}

// An interruption ends the run's context, and comes at any time: while Vault makes the token, too.
func TestRevokedAfterAnInterruption(t *testing.T) {
	for _, path := range []string{"auth/kubernetes/login", "auth/token/lookup-self", "sys/internal/ui/mounts/secret"} {
		t.Run(path, func(t *testing.T) {
			f := newFakeVault(t)
			f.environment(t)
			ctx, interrupt := context.WithCancel(t.Context())
			f.before = func(_ int, _, asked string) {
				if asked == path {
					interrupt()
				}
			}
			_, err := open(ctx, Options{Owner: "prod-eu", Login: asPod(t)}, quick)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
			if diff := cmp.Diff([]string{tokenNumber(1)}, f.revoked); diff != "" {
				t.Errorf("revoked (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("later", func(t *testing.T) {
		f := newFakeVault(t)
		s := f.openLogin(t, asPod(t))
		ctx, interrupt := context.WithCancel(t.Context())
		interrupt()
		if _, err := s.ObserveStore(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]string{"PUT auth/token/revoke-self"}, f.log()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
		if err := s.WriteState(t.Context(), reconcile.State{FormatVersion: "1"}, 0); !errors.Is(err, errClosed) || f.loggedIn() != 1 {
			t.Errorf("after Close: %v, %d logins", err, f.loggedIn())
		}
	})
}

// ticks has tokens end by a clock that goes on by that much at each renewal: on a slow machine, too, it comes in time.
func (f *fakeVault) ticks(by time.Duration) {
	began, renewals := time.Now(), 0 // guarded by f.mu, as what calls now is
	f.now = func() time.Time { return began.Add(time.Duration(renewals) * by) }
	f.before = func(_ int, _, path string) {
		if strings.HasSuffix(path, "auth/token/renew-self") {
			f.mu.Lock()
			defer f.mu.Unlock()
			renewals++
		}
	}
}

// A token is renewed as long as Vault lets it.
func TestRenewed(t *testing.T) {
	f := newFakeVault(t)
	f.lease = 1
	f.ticks(0)
	s := f.openLogin(t, asPod(t))
	eventually(t, "the third renewal", func() bool { return f.renewals(1) >= 3 })
	if err := s.WriteState(t.Context(), reconcile.State{FormatVersion: "1"}, 0); err != nil || f.loggedIn() != 1 {
		t.Errorf("error %v, %d logins", err, f.loggedIn())
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if living := f.living(); len(living) > 0 {
		t.Errorf("left: %q", living)
	}
}

// Short runs cost Vault no renewal.
func TestNotRenewedBeforeHalfItsTime(t *testing.T) {
	f := newFakeVault(t)
	f.lease = 4
	began := time.Now()
	f.openLogin(t, asPod(t))
	eventually(t, "a renewal", func() bool { return f.renewals(1) > 0 })
	if after := time.Since(began); after < 2*time.Second {
		t.Errorf("renewed after %s", after)
	}
}

// A token that cannot be renewed further is replaced before it ends, with what stands in the file by then.
func TestLoggedInAgain(t *testing.T) {
	for name, batch := range map[string]bool{"at its longest time": false, "of type batch": true} {
		t.Run(name, func(t *testing.T) {
			f := newFakeVault(t)
			f.lease, f.longest, f.batch = 2, 2*time.Second, batch
			f.ticks(time.Second + time.Millisecond)
			l := asPod(t)
			s := f.openLogin(t, l)
			rewrite(t, l.TokenFile, "another-jwt")
			eventually(t, "another login", func() bool { return f.loggedIn() > 1 })
			if got := f.logins[1]["jwt"]; got != "another-jwt" {
				t.Errorf("it sent %q", got)
			}
			if living := f.living(); len(living) != 2 {
				t.Errorf("the old token was over: %q live", living)
			}
			if err := s.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if living := f.living(); len(living) > 0 && !batch {
				t.Errorf("left: %q", living)
			}
		})
	}
}

// Tokens that end at once in the middle of many requests, again and again, cost none of them.
func TestRequestsDuringTheExchange(t *testing.T) {
	f := newFakeVault(t)
	s := f.openLogin(t, asPod(t))
	const workers, expiries = 20, 5
	var written [workers]atomic.Int32
	stop := make(chan struct{})
	var running sync.WaitGroup
	for i := range workers {
		running.Go(func() {
			for version := 0; ; version++ {
				select {
				case <-stop:
					return
				default:
				}
				r := *parsed("alice")
				r.User = fmt.Sprintf("user-%d", i)
				if _, err := s.WriteRecord(t.Context(), r, version); err != nil {
					t.Error(err)
					return
				}
				written[i].Add(1)
			}
		})
	}
	for n := range expiries {
		f.expire()
		eventually(t, "another login", func() bool { return f.loggedIn() >= n+2 })
		var before [workers]int32
		for i := range workers {
			before[i] = written[i].Load()
		}
		for i := range workers { // the request that met the end of its token is over, too
			eventually(t, "two more writes by each", func() bool { return written[i].Load() >= before[i]+2 || t.Failed() })
		}
	}
	close(stop)
	running.Wait()
	if n := f.loggedIn(); n != expiries+1 {
		t.Errorf("%d logins, want one at the beginning and one for each of %d expiries", n, expiries)
	}
}

// What keeps certsync from logging in again is the error of the request that needs it; a later one tries again.
func TestLoggingInAgainFails(t *testing.T) {
	f := newFakeVault(t)
	l := asPod(t)
	s := f.openLogin(t, l)
	f.expire()
	f.mu.Lock()
	f.refuse = func(string, map[string]any) (int, string) { return 403, "service account name not authorized" }
	f.mu.Unlock()
	_, err := s.ObserveStore(t.Context())
	want := "reading secret/certsync/prod-eu/state: " + strings.ReplaceAll(atVault, "ADDRESS", f.URL) + "Vault answered 403 Forbidden: service account name not authorized"
	if err == nil || err.Error() != want || hintOf(err) != roleHint {
		t.Errorf("got %v, hint %q", err, hintOf(err))
	}
	f.mu.Lock()
	f.refuse = func(string, map[string]any) (int, string) { return 0, "" }
	f.mu.Unlock()
	if _, err := s.ObserveStore(t.Context()); err != nil {
		t.Error(err)
	}
	f.mu.Lock()
	f.lease = 0 // its tokens are over at once
	f.mu.Unlock()
	f.expire()
	if _, err = s.ObserveStore(t.Context()); err == nil || hintOf(err) != "Vault refuses a token that it has just issued: check the role's token_ttl and token_bound_cidrs" {
		t.Errorf("got %v, hint %q", err, hintOf(err))
	}
}

// Who gives up waiting for a login does not end it for the others.
func TestLoginOutlivesWhoWaitsForIt(t *testing.T) {
	f := newFakeVault(t)
	s := f.openLogin(t, asPod(t))
	f.expire()
	ctx, giveUp := context.WithCancel(t.Context())
	gone := make(chan struct{})
	f.before = func(_ int, _, path string) {
		if strings.HasSuffix(path, "/login") {
			giveUp()
			<-gone
		}
	}
	if _, err := s.ObserveStore(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(gone)
	if _, err := s.ObserveStore(t.Context()); err != nil || f.loggedIn() != 2 {
		t.Errorf("error %v, %d logins", err, f.loggedIn())
	}
}
