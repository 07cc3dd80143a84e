package vaultstore

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/vaultstore/kvtest"
)

// TestReadCredential: what WriteCredential wrote comes back, by a single request, to a token that may do nothing else.
func TestReadCredential(t *testing.T) {
	v := newFakeVault(t)
	writer := v.open(t)
	for sentence, key := range map[string]string{"with a key": "the key", "without a key": ""} {
		written := reconcile.Credential{
			Kubeconfig: reconcile.NewSecret([]byte("kubeconfig")), Certificate: []byte("chain"), CA: []byte("ca"),
		}
		if key != "" {
			written.Key = reconcile.NewSecret([]byte(key))
		}
		user := strings.ReplaceAll(sentence, " ", "-")
		version, err := writer.WriteCredential(t.Context(), user, written, 0)
		if err != nil {
			t.Fatal(err)
		}
		v.denied = func(method, path string) bool {
			return method != "GET" || path != "secret/data/certsync/prod-eu/users/"+user
		}
		v.forget()
		s, err := openUser(t.Context(), Options{Owner: "prod-eu"}, quick)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.ReadCredential(t.Context(), user)
		if err != nil {
			t.Fatal(err)
		}
		revealed := func(c reconcile.Credential) []string {
			return []string{string(c.Kubeconfig.Reveal()), string(c.Certificate), string(c.Key.Reveal()), string(c.CA)}
		}
		if diff := cmp.Diff(revealed(written), revealed(got.Credential)); diff != "" || got.Version != version || (got.Key.Reveal() == nil) != (key == "") {
			t.Errorf("%s: version %d, want %d, %s", sentence, got.Version, version, diff)
		}
		if diff := cmp.Diff([]string{"GET secret/data/certsync/prod-eu/users/" + user}, v.log()); diff != "" {
			t.Errorf("%s: %s", sentence, diff)
		}
		v.denied = func(string, string) bool { return false }
	}
}

// TestReadCredentialFails: each way in which there is none has its error, and none repeats what stands there.
func TestReadCredentialFails(t *testing.T) {
	v := newFakeVault(t)
	s := v.open(t)
	for _, tt := range []struct {
		sentence string
		data     map[string]any
		deleted  bool
		denied   bool
		none     bool
		says     string
	}{
		{sentence: "nothing was ever there", none: true, says: "there is no credential"},
		{sentence: "it was deleted", data: map[string]any{"kubeconfig": "s3cret"}, deleted: true, none: true, says: "there is no credential: version 1 was deleted at 20"},
		{sentence: "it was taken away", data: map[string]any{}, none: true, says: "there is no credential"},
		{sentence: "somebody wrote there", data: map[string]any{"tls.key": "s3cret"}, says: "not a credential that certsync wrote"},
		{sentence: "somebody wrote numbers there", data: map[string]any{"kubeconfig": 5, "tls.key": "s3cret"}, says: "not a credential that certsync wrote"},
		{sentence: "it belongs to somebody else", data: map[string]any{"kubeconfig": "s3cret"}, denied: true, says: "403"},
	} {
		t.Run(tt.sentence, func(t *testing.T) {
			user := strings.ReplaceAll(tt.sentence, " ", "-")
			if tt.data != nil {
				if _, _, err := s.put(t.Context(), "users/"+user, tt.data, 0); err != nil {
					t.Fatal(err)
				}
			}
			if tt.deleted {
				v.change("users/"+user, func(v *kvtest.Version) { v.Deleted = time.Now() })
			}
			v.denied = func(string, string) bool { return tt.denied }
			_, err := s.ReadCredential(t.Context(), user)
			v.denied = func(string, string) bool { return false }
			if err == nil || errors.Is(err, ErrNoCredential) != tt.none || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v", err)
			}
			if text := fmt.Sprint(err, reconcile.Hint(err)); strings.Contains(text, "s3cret") || Unavailable(err) {
				t.Errorf("%s, unavailable: %t", text, Unavailable(err))
			}
		})
	}
	if _, err := s.ReadCredential(t.Context(), "../ledger/x"); err == nil {
		t.Error("a name that is none was looked up")
	}
}

// TestUnavailable: only Vault's own refusal is one. Any other answer is an outage, also one that resembles a refusal.
func TestUnavailable(t *testing.T) {
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
	hangUp := func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }
	elsewhere := httptest.NewServer(answer(200, "<html>"))
	t.Cleanup(elsewhere.Close)
	for _, tt := range []struct {
		sentence string
		fault    http.HandlerFunc
		want     bool
		refused  bool
	}{
		{"it hangs up", hangUp, true, false},
		{"it is sealed", answer(503, `{"errors":["Vault is sealed"]}`), true, false},
		{"a proxy has no way to it", answer(502, "<html>"), true, false},
		{"it fails", answer(500, `{"errors":["internal error"]}`), true, false},
		{"it says no", answer(403, `{"errors":["permission denied"]}`), false, true},
		{"it does not know the token", answer(403, `{"errors":["2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"]}`), false, true},
		{"it has nothing there", answer(404, `{"errors":[]}`), false, true},
		{"the version was deleted", answer(404, `{"data":{"data":null,"metadata":{"version":3,"deletion_time":"2026-01-01T00:00:00Z"}}}`), false, true},
		{"it does not understand", answer(400, `{"errors":["bad"]}`), true, false},
		{"it is a disaster recovery secondary", answer(400, `{"errors":["path disabled in replication DR secondary mode"]}`), true, false},
		{"its mount is gone", answer(404, `{"errors":["no handler for route \"secret/data/x\". route entry not found."]}`), true, false},
		{"its plugin has failed", answer(404, `{"errors":["no handler for route \"secret/data/x\". route entry found, but backend is nil."]}`), true, false},
		{"a standby is behind", answer(412, `{"errors":["required index state not present"]}`), true, false},
		{"a disaster recovery secondary, as a balancer says it", answer(472, `{"initialized":true}`), true, false},
		{"a performance standby, as a balancer says it", answer(473, `{"initialized":true}`), true, false},
		{"a standby without its active node", answer(503, `{"errors":["local node not active but active cluster node not found"]}`), true, false},
		{"a standby as its health endpoint says it", answer(429, `{"standby":true}`), true, false},
		{"a proxy wants a login", answer(401, `{"errors":["Unauthorized"]}`), true, false},
		{"a proxy wants a login of its own", answer(407, "<html>"), true, false},
		{"a proxy says no", answer(403, "<html>permission denied</html>"), true, false},
		{"a gateway says no", answer(403, `{"message":"permission denied"}`), true, false},
		{"a gateway says no, with errors of its own", answer(403, `{"errors":[{"code":"1020","message":"permission denied"}]}`), true, false},
		{"a gateway says no, with errors in words of its own", answer(403, `{"errors":["access denied by rule 7"]}`), true, false},
		{"an empty no", answer(403, ""), true, false},
		{"a no without errors", answer(403, `{"errors":[]}`), true, false},
		{"a no that breaks off", answer(403, `{"errors":["permission den`), true, false},
		{"a proxy has no such page", answer(404, "<html>"), true, false},
		{"a service mesh has no such host", answer(404, `{"error":"not found"}`), true, false},
		{"an empty 404", answer(404, ""), true, false},
		{"it is somebody else", answer(200, "<html>"), true, false},
		{"it is something else", answer(200, `{"status":"maintenance"}`), true, false},
		{"it is another engine", answer(200, `{"data":{"kubeconfig":"x","tls.crt":"y"}}`), true, false},
		{"an empty answer", answer(200, ""), true, false},
		{"no content", answer(204, ""), true, false},
		{"an answer that breaks off", breaksOff, true, false},
		{"half of an answer", answer(200, `{"data":{"data":{"kube`), true, false},
		{"an answer without end", answer(200, strings.Repeat(" ", maxAnswer+1)), true, false},
		{"a login page", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) }, true, false},
		{"a login page on another server", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+"/login", http.StatusSeeOther)
		}, true, false},
	} {
		t.Run(tt.sentence, func(t *testing.T) {
			v := newFakeVault(t)
			v.open(t)
			hurried := quick
			hurried.patience = 200 * time.Millisecond // Vault's 429 is tried for so long
			s, err := openUser(t.Context(), Options{Owner: "prod-eu"}, hurried)
			if err != nil {
				t.Fatal(err)
			}
			v.floods = map[string]http.HandlerFunc{"secret/data/certsync/prod-eu/users/alice": tt.fault}
			_, err = s.ReadCredential(t.Context(), "alice")
			if err == nil || Unavailable(err) != tt.want || Refused(err) != tt.refused {
				t.Errorf("%v: unavailable is %t, refused %t", err, Unavailable(err), Refused(err))
			}
		})
	}
}

// TestLoginIsNoRefusal: Vault's 403 at a login says nothing about the path. Method kubernetes answers 403 also when Vault
// cannot reach the cluster, method jwt 400 when it cannot reach the issuer.
func TestLoginIsNoRefusal(t *testing.T) {
	for _, status := range []int{400, 403, 500} {
		v := newFakeVault(t)
		v.environment(t)
		v.refuse = func(string, map[string]any) (int, string) { return status, permissionDenied }
		if _, err := openUser(t.Context(), Options{Owner: "prod-eu", Login: asPod(t)}, quick); !Unavailable(err) || Refused(err) {
			t.Errorf("%d: %v", status, err)
		}
		// The token has ended since, and the next login meets it.
		v.refuse = func(string, map[string]any) (int, string) { return 0, "" }
		s, err := openUser(t.Context(), Options{Owner: "prod-eu", Login: asPod(t)}, quick)
		if err != nil {
			t.Fatal(err)
		}
		v.mu.Lock()
		clear(v.tokens)
		v.mu.Unlock()
		v.refuse = func(string, map[string]any) (int, string) { return status, permissionDenied }
		if _, err := s.ReadCredential(t.Context(), "alice"); !Unavailable(err) || Refused(err) {
			t.Errorf("%d at another login: %v", status, err)
		}
	}
}

// TestNoToken: an outage is one also for a user without a token, and nobody is sent to log in.
func TestNoToken(t *testing.T) {
	v := newFakeVault(t)
	v.environment(t)
	t.Setenv("VAULT_TOKEN", "")
	t.Setenv("HOME", t.TempDir())
	s, err := openUser(t.Context(), Options{Owner: "prod-eu"}, quick)
	if err != nil {
		t.Fatal(err)
	}
	v.fault[1] = page(403, "<html>")
	if _, err := s.ReadCredential(t.Context(), "alice"); !Unavailable(err) || strings.Contains(fmt.Sprint(err, hintOf(err)), "log") {
		t.Errorf("%v, hint %q", err, hintOf(err))
	}
	if _, err := s.ReadCredential(t.Context(), "alice"); err == nil || Unavailable(err) || !strings.Contains(err.Error(), "there is no token") {
		t.Errorf("with Vault: %v", err)
	}
}

// TestNoAnswer: without any answer, it is the way that counts.
func TestNoAnswer(t *testing.T) {
	t.Run("nothing listens there", func(t *testing.T) {
		v := newFakeVault(t)
		s := v.open(t)
		v.Close()
		if _, err := s.ReadCredential(t.Context(), "alice"); !Unavailable(err) || Refused(err) {
			t.Errorf("%v", err)
		}
	})
	t.Run("somebody else's certificate", func(t *testing.T) {
		v := newFakeVault(t)
		v.Close()
		other := httptest.NewTLSServer(http.NotFoundHandler())
		t.Cleanup(other.Close)
		t.Setenv("VAULT_ADDR", other.URL)
		s, err := openUser(t.Context(), Options{Owner: "prod-eu", Token: reconcile.NewSecret([]byte(goodToken))}, quick)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.ReadCredential(t.Context(), "alice"); !Unavailable(err) || Refused(err) {
			t.Errorf("%v", err)
		}
	})
	t.Run("an interruption", func(t *testing.T) {
		s := newFakeVault(t).open(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.ReadCredential(ctx, "alice"); err == nil || Unavailable(err) || Refused(err) {
			t.Errorf("%v", err)
		}
	})
}

// TestPatience: nobody waits longer for a Vault that does not answer, unless VAULT_CLIENT_TIMEOUT says so.
func TestPatience(t *testing.T) {
	for _, tt := range []struct {
		sentence string
		patience time.Duration
		variable string
		want     limits // answer and patience
	}{
		{"by default", 0, "", limits{answer: 30 * time.Second, patience: 2 * time.Minute}},
		{"somebody is in a hurry", 5 * time.Second, "", limits{answer: 5 * time.Second, patience: 5 * time.Second}},
		{"somebody has time", time.Minute, "", limits{answer: 30 * time.Second, patience: time.Minute}},
		{"a slow way to Vault", 5 * time.Second, "20s", limits{answer: 20 * time.Second, patience: 20 * time.Second}},
		{"a quick way to Vault", 5 * time.Second, "2s", limits{answer: 2 * time.Second, patience: 5 * time.Second}},
	} {
		t.Run(tt.sentence, func(t *testing.T) {
			cleanEnvironment(t)
			t.Setenv("VAULT_CLIENT_TIMEOUT", tt.variable)
			_, got, err := newClient(Options{Patience: tt.patience}, usualLimits)
			if err != nil || got.answer != tt.want.answer || got.patience != tt.want.patience {
				t.Errorf("%s and %s, %v", got.answer, got.patience, err)
			}
		})
	}
	v := newFakeVault(t)
	v.environment(t)
	ended := make(chan struct{})
	v.before = func(int, string, string) { <-ended }
	defer close(ended)
	s, err := OpenUser(t.Context(), Options{Owner: "prod-eu", Patience: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, err := s.ReadCredential(t.Context(), "alice"); !Unavailable(err) || !strings.Contains(err.Error(), "no answer came in 50ms") {
		t.Errorf("%v", err)
	}
	if waited := time.Since(began); waited > 10*time.Second {
		t.Errorf("waited %s", waited)
	}
}

// TestPlace: everything that says which secret is meant makes another place of it, and a password of the address is not in it.
func TestPlace(t *testing.T) {
	variables := map[string]string{"VAULT_ADDR": "https://vault.example.com", "VAULT_NAMESPACE": "", "VAULT_AGENT_ADDR": ""}
	place := func(o Options, user, variable, value string) string {
		t.Helper()
		cleanEnvironment(t)
		for name, usual := range variables {
			t.Setenv(name, usual)
		}
		if variable != "" {
			t.Setenv(variable, value)
		}
		p, err := o.Place(user)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	usual := Options{Owner: "prod-eu"}
	seen := map[string]string{place(usual, "alice", "", ""): "as usual"}
	for sentence, p := range map[string]string{
		"another user":              place(usual, "bob", "", ""),
		"another owner":             place(Options{Owner: "prod-us"}, "alice", "", ""),
		"another mount":             place(Options{Owner: "prod-eu", Mount: "kv"}, "alice", "", ""),
		"another prefix":            place(Options{Owner: "prod-eu", Prefix: "people"}, "alice", "", ""),
		"a mount with a slash":      place(Options{Owner: "prod-eu", Mount: "a/b", Prefix: "c"}, "alice", "", ""),
		"a prefix with a slash":     place(Options{Owner: "prod-eu", Mount: "a", Prefix: "b/c"}, "alice", "", ""),
		"another Vault":             place(usual, "alice", "VAULT_ADDR", "https://other.example.com"),
		"a Vault Agent":             place(usual, "alice", "VAULT_AGENT_ADDR", "http://127.0.0.1:8100"),
		"a Vault Agent's socket":    place(usual, "alice", "VAULT_ADDR", "unix:///run/prod/agent.sock"),
		"another one's":             place(usual, "alice", "VAULT_ADDR", "unix:///run/test/agent.sock"),
		"another namespace":         place(usual, "alice", "VAULT_NAMESPACE", "team"),
		"an address with a name":    place(usual, "alice", "VAULT_ADDR", "https://me@vault.example.com"),
		"an address and a password": place(usual, "alice", "VAULT_ADDR", "https://you:s3cret@vault.example.com"),
	} {
		if other, ok := seen[p]; ok {
			t.Errorf("%s is %s: %s", sentence, other, p)
		}
		seen[p] = sentence
		if strings.Contains(p, "s3cret") {
			t.Errorf("%s: %s", sentence, p)
		}
	}
	if again := place(Options{Owner: "prod-eu", Mount: "/secret/", Prefix: "certsync/", Patience: time.Second}, "alice", "", ""); seen[again] != "as usual" {
		t.Errorf("spelt out: %s", again)
	}
	for _, o := range []Options{{Owner: "Prod"}, {Owner: "prod", Mount: "a/../b"}} {
		if _, err := o.Place("alice"); err == nil {
			t.Errorf("%+v has a place", o)
		}
	}
	if _, err := usual.Place("../ledger/alice"); err == nil {
		t.Error("a name that is none has a place")
	}
}
