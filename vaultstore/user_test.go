package vaultstore

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
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
		{sentence: "it was taken away", data: map[string]any{}, none: true, says: "there is no credential"},
		{sentence: "somebody wrote there", data: map[string]any{"tls.key": "s3cret"}, says: "not what certsync writes"},
		{sentence: "somebody wrote numbers there", data: map[string]any{"kubeconfig": 5, "tls.key": "s3cret"}, says: "not what certsync writes"},
		{sentence: "it belongs to somebody else", data: map[string]any{"kubeconfig": "s3cret"}, denied: true, says: "403"},
	} {
		t.Run(tt.sentence, func(t *testing.T) {
			user := strings.ReplaceAll(tt.sentence, " ", "-")
			if tt.data != nil {
				if _, err := s.put(t.Context(), "users/"+user, tt.data, 0); err != nil {
					t.Fatal(err)
				}
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

// TestUnavailable: only a Vault that may answer later is unavailable.
func TestUnavailable(t *testing.T) {
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
	hangUp := func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }
	for _, tt := range []struct {
		sentence string
		fault    http.HandlerFunc
		want     bool
	}{
		{"it hangs up", hangUp, true},
		{"it is sealed", answer(503, `{"errors":["Vault is sealed"]}`), true},
		{"a proxy has no way to it", answer(502, "<html>"), true},
		{"it fails", answer(500, `{"errors":["internal error"]}`), true},
		{"it says no", answer(403, `{"errors":["permission denied"]}`), false},
		{"it does not understand", answer(400, `{"errors":["bad"]}`), false},
	} {
		t.Run(tt.sentence, func(t *testing.T) {
			v := newFakeVault(t)
			s := v.open(t)
			for n := 1; n < 10; n++ {
				v.fault[n] = tt.fault
			}
			_, err := s.ReadCredential(t.Context(), "alice")
			if err == nil || Unavailable(err) != tt.want {
				t.Errorf("%v: unavailable is %t", err, Unavailable(err))
			}
		})
	}
	t.Run("nothing listens there", func(t *testing.T) {
		v := newFakeVault(t)
		s := v.open(t)
		v.Close()
		if _, err := s.ReadCredential(t.Context(), "alice"); !Unavailable(err) {
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
		if _, err := s.ReadCredential(t.Context(), "alice"); err == nil || Unavailable(err) {
			t.Errorf("%v", err)
		}
	})
	t.Run("an interruption", func(t *testing.T) {
		s := newFakeVault(t).open(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.ReadCredential(ctx, "alice"); err == nil || Unavailable(err) {
			t.Errorf("%v", err)
		}
	})
}
