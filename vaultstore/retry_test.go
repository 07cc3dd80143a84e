package vaultstore

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
)

func TestWhatIsTriedAgain(t *testing.T) {
	turnedAway := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "0")
		fail(w, 429, "request path \"secret/data/certsync/prod-eu/state\": rate limit quota exceeded")
	}
	for name, test := range map[string]struct {
		faults []http.HandlerFunc
		calls  int
		want   string
	}{
		"nothing":                       {nil, 1, ""},
		"two errors":                    {[]http.HandlerFunc{failsWith(500, "oh"), failsWith(502)}, 3, ""},
		"three errors":                  {[]http.HandlerFunc{failsWith(500, "oh"), failsWith(500, "oh"), failsWith(500, "oh")}, 3, "writing secret/certsync/prod-eu/state: Vault answered 500 Internal Server Error: oh"},
		"a connection that breaks":      {[]http.HandlerFunc{func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }}, 2, ""},
		"a rate limit, however often":   {[]http.HandlerFunc{turnedAway, turnedAway, turnedAway, turnedAway, turnedAway, turnedAway}, 7, ""},
		"a rate limit and two errors":   {[]http.HandlerFunc{turnedAway, failsWith(500), turnedAway, failsWith(500), turnedAway}, 6, ""},
		"a seal":                        {[]http.HandlerFunc{failsWith(503, "Vault is sealed")}, 1, "writing secret/certsync/prod-eu/state: Vault answered 503 Service Unavailable: Vault is sealed"},
		"a load balancer without Vault": {[]http.HandlerFunc{page(503, "no backend")}, 2, ""},
		"a bad request":                 {[]http.HandlerFunc{failsWith(400, "bad")}, 1, "writing secret/certsync/prod-eu/state: Vault answered 400 Bad Request: bad"},
		"a denial":                      {[]http.HandlerFunc{failsWith(403, "permission denied")}, 1, "writing secret/certsync/prod-eu/state: Vault answered 403 Forbidden: permission denied"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeVault(t)
			s := f.open(t)
			for i, fault := range test.faults {
				f.fault[i+1] = fault
			}
			message := ""
			if err := s.WriteState(t.Context(), reconcile.State{FormatVersion: "1"}, 0); err != nil {
				message = err.Error()
			}
			if diff := cmp.Diff(test.want, message); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if calls := f.log(); len(calls) != test.calls {
				t.Errorf("%d calls, want %d: %q", len(calls), test.calls, calls)
			}
			if written := f.at("state") != nil; written != (test.want == "") {
				t.Errorf("written: %t", written)
			}
		})
	}
}

// breaksOff answers with less than it announced, and closes the connection.
func breaksOff(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "100")
	_, _ = w.Write([]byte(`{"data":`))
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// TestAnswerThatBreaksOff: a question is asked again. A write is not: Vault has done it.
func TestAnswerThatBreaksOff(t *testing.T) {
	for name, test := range map[string]struct {
		ask   func(*Store) error
		again bool
	}{
		"a read": {func(s *Store) error { _, err := s.ObserveStore(t.Context()); return err }, true},
		"what the token may do": {func(s *Store) error {
			_, err := s.MissingCapabilities(t.Context(), reconcile.StoreNeeds{Record: []string{"alice"}})
			return err
		}, true},
		"a write": {func(s *Store) error {
			_, err := s.WriteCredential(t.Context(), "alice", reconcile.Credential{}, 0)
			return err
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeVault(t)
			s := f.open(t)
			if err := test.ask(s); err != nil {
				t.Fatal(err)
			}
			usual := len(f.log())
			f = newFakeVault(t)
			s = f.open(t)
			f.fault[1] = breaksOff
			err := test.ask(s)
			if calls := len(f.log()); test.again && (err != nil || calls != usual+1) || !test.again && (err == nil || calls != usual) {
				t.Errorf("%d calls, %d without the fault: %v", calls, usual, err)
			}
		})
	}
}

// The answer to a write that was applied gets lost. The repetition meets its own version, or that of another run.
func TestRepeatedWriteMeetsItself(t *testing.T) {
	for sentence, test := range map[string]struct{ run, want string }{
		"its own":       {run: "run-1"},
		"another run's": {run: "run-2", want: "writing secret/certsync/prod-eu/state: " + reconcile.ErrPrecondition.Error()},
	} {
		t.Run(sentence, func(t *testing.T) {
			f := newFakeVault(t)
			s := f.open(t)
			f.fault[1] = func(_ http.ResponseWriter, r *http.Request) {
				f.put("state", map[string]any{"formatVersion": "1", "runID": test.run})
				panic(http.ErrAbortHandler)
			}
			err := s.WriteState(t.Context(), reconcile.State{FormatVersion: "1", RunID: "run-1"}, 0)
			if test.want == "" && err != nil || test.want != "" && (err == nil || err.Error() != test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// TestRepeatedEraseMeetsItself: whoever takes something out is told that what stands there may be their own.
func TestRepeatedEraseMeetsItself(t *testing.T) {
	f := newFakeVault(t)
	s := f.open(t)
	f.put("users/bob", map[string]any{"a": "b"})
	f.fault[1] = func(_ http.ResponseWriter, r *http.Request) {
		f.put("users/bob", map[string]any{})
		panic(http.ErrAbortHandler)
	}
	if err := s.DeleteCredential(t.Context(), "bob", 1); !errors.Is(err, reconcile.ErrPrecondition) || !errors.Is(err, reconcile.ErrRepeated) {
		t.Error(err)
	}
	f.put("users/carol", map[string]any{"a": "b"})
	f.put("users/carol", map[string]any{"somebody": "else's"})
	if err := s.DeleteCredential(t.Context(), "carol", 1); !errors.Is(err, reconcile.ErrPrecondition) || errors.Is(err, reconcile.ErrRepeated) {
		t.Error(err)
	}
}

func TestMountThatIsBeingUpgraded(t *testing.T) {
	f := newFakeVault(t)
	s := f.open(t)
	f.upgrading = 5
	if _, err := s.ObserveStore(t.Context()); err != nil {
		t.Error(err)
	}
	s.limits.patience = 300 * time.Millisecond
	f.upgrading = 1 << 20
	err := s.WriteState(t.Context(), reconcile.State{FormatVersion: "1"}, 0)
	if want := "writing secret/certsync/prod-eu/state: waiting for Vault at " + f.URL + ": after 300ms it still upgrades the mount to KV version 2"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %q", err, want)
	}
	if f.at("state") != nil {
		t.Error("it was written")
	}
}

func TestRateLimitWithoutEnd(t *testing.T) {
	f := newFakeVault(t)
	s := f.open(t)
	s.limits.patience = 300 * time.Millisecond
	for i := range 1000 {
		f.fault[i] = failsWith(429, "rate limit quota exceeded")
	}
	_, err := s.ObserveStore(t.Context())
	if want := "reading secret/certsync/prod-eu/state: waiting for Vault at " + f.URL + ": after 300ms it still refuses requests because of a rate limit quota"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %q", err, want)
	}
}

// TestLeaseCountQuota: Vault answers a login with 429 too when it has too many leases, and waiting for a rate does not help.
func TestLeaseCountQuota(t *testing.T) {
	f := newFakeVault(t)
	f.environment(t)
	l := quick
	l.answer, l.patience = 300*time.Millisecond, 300*time.Millisecond
	for i := range 1000 {
		f.fault[i] = failsWith(429, "1 error occurred:\n\t* request path \"auth/kubernetes/login\": lease count quota exceeded\n\n")
	}
	_, err := open(t.Context(), Options{Owner: "prod-eu", Login: asPod(t)}, l)
	if err == nil || !strings.HasSuffix(err.Error(), "after 300ms it still refuses new tokens because of a lease count quota") {
		t.Error(err)
	}
}

// TestMaintenance: a load balancer that says when to come back is what the error names, not a network that lets nothing through.
func TestMaintenance(t *testing.T) {
	f := newFakeVault(t)
	s := f.open(t)
	s.limits.patience = 300 * time.Millisecond
	f.fault[1] = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "120")
		page(503, "closed until Monday")(w, r)
	}
	_, err := s.ObserveStore(t.Context())
	if want := "reading secret/certsync/prod-eu/state: waiting for Vault at " + f.URL + ": after 300ms it still answers 503 Service Unavailable with a Retry-After"; err == nil || err.Error() != want || !Unavailable(err) {
		t.Errorf("got %v, want %q", err, want)
	}
}

func TestVaultThatDoesNotAnswer(t *testing.T) {
	f := newFakeVault(t)
	f.environment(t)
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	hang := func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-done:
		}
	}
	halfAnAnswer := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(200)
		_, _ = w.Write([]byte(`{"data":`))
		w.(http.Flusher).Flush()
		hang(w, r)
	}
	for name, fault := range map[string]http.HandlerFunc{"not at all": hang, "not to the end": halfAnAnswer} {
		t.Run(name, func(t *testing.T) {
			f.forget()
			f.fault[1] = fault
			l := quick
			l.answer = 100 * time.Millisecond
			_, err := open(t.Context(), Options{Owner: "prod-eu"}, l)
			want := "logging in to Vault at " + f.URL + ": waiting for Vault at " + f.URL + " to answer: no answer came in 100ms"
			if err == nil || err.Error() != want {
				t.Errorf("got %v, want %q", err, want)
			}
			if !strings.Contains(hintOf(err), "VAULT_CLIENT_TIMEOUT") {
				t.Errorf("the hint is %q", hintOf(err))
			}
			if calls := f.log(); len(calls) != 1 {
				t.Errorf("it was tried again: %q", calls)
			}
		})
	}
}

func TestTimeoutFromTheEnvironment(t *testing.T) {
	f := newFakeVault(t)
	f.environment(t)
	t.Setenv("VAULT_CLIENT_TIMEOUT", "7")
	s, err := Open(t.Context(), Options{Owner: "prod-eu"})
	if err != nil || s.limits.answer != 7*time.Second {
		t.Errorf("got %v, error %v; want 7s", s.limits.answer, err)
	}
}

// Those who are turned away are all told the same second to come back in.
func TestRetryAfter(t *testing.T) {
	answer := func(status int, seconds int) *http.Response {
		return &http.Response{StatusCode: status, Header: http.Header{"Retry-After": {strconv.Itoa(seconds)}}}
	}
	p := retryPolicy{backoff: func(low, _ time.Duration, _ int, resp *http.Response) time.Duration {
		if resp != nil {
			n, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
			return time.Duration(n) * time.Second
		}
		return low
	}}
	if got, want := p.wait(time.Second, time.Second, 0, answer(429, 3)), 3100*time.Millisecond; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, seconds := range []int{0, math.MaxInt64, math.MaxInt64 / 2} {
		if got := p.wait(time.Second, time.Second, 0, answer(429, seconds)); got <= 0 {
			t.Errorf("got %s: it asks without a pause", got)
		}
	}
}
