package vaultstore

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/certsync/certsync/reconcile"
)

// Whatever goes wrong, however it is printed: no token, no accessor, no key.
func TestNothingSecretIsPrinted(t *testing.T) {
	t.Run("with a token", func(t *testing.T) {
		f := newFakeVault(t)
		f.nothingSecret(t, f.open(t), Options{Owner: "prod-eu", Token: reconcile.NewSecret([]byte(goodToken))})
	})
	for name, l := range map[string]Login{
		"with a JWT":       asPod(t),
		"with a secret ID": {Method: "approle", RoleID: "the-role", SecretID: reconcile.NewSecret([]byte(jwt))},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeVault(t)
			f.nothingSecret(t, f.openLogin(t, l), Options{Owner: "prod-eu", Login: l})
		})
	}
}

func (f *fakeVault) nothingSecret(t *testing.T, s *Store, o Options) {
	f.put("users/alice", map[string]any{"tls.key": keyMarker})
	f.put("ledger/alice", map[string]any{"tls.key": keyMarker}) // put in the wrong place by hand
	s.limits.patience = time.Second
	repeats := func(status int) http.HandlerFunc { // a proxy that shows what it was sent
		return func(w http.ResponseWriter, r *http.Request) {
			body := make([]byte, 4096)
			n, _ := r.Body.Read(body)
			page(status, r.Header.Get("X-Vault-Token")+string(body[:n]))(w, r)
		}
	}
	printed := []any{o, &o, s, *s}
	for _, fault := range []http.HandlerFunc{
		func(w http.ResponseWriter, r *http.Request) { // Vault gives reasons for what it makes of a login
			reason := "bad"
			if strings.HasSuffix(r.URL.Path, "/login") {
				reason = jwt
			}
			fail(w, 400, reason)
		},
		failsWith(403, "permission denied"), failsWith(403, invalidBody), failsWith(500, "oh"), failsWith(503, "Vault is sealed"),
		failsWith(400, "check-and-set parameter did not match the current version"), repeats(200), repeats(400), repeats(403),
		repeats(404), repeats(502), page(200, `{"data":{"data":{"formatVersion":1},"metadata":{"version":1}}}`),
		func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		for i := range 100 {
			f.fault[i] = fault
		}
		printed = append(printed, everyError(t, s, o)...)
	}
	clear(f.fault)
	view, err := s.ObserveStore(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	printed = append(printed, view)
	for _, p := range printed {
		asJSON, _ := json.Marshal(p)
		for _, text := range []string{fmt.Sprint(p), fmt.Sprintf("%+v", p), fmt.Sprintf("%#v", p), fmt.Sprintf("%q", p), string(asJSON)} {
			for _, secret := range []string{goodToken, jwt, keyMarker, "the-accessor"} {
				if strings.Contains(text, secret) {
					t.Errorf("%T prints %q: %s", p, secret, text)
				}
			}
		}
	}
}

// everyError makes each method fail, and returns the errors and hints.
func everyError(t *testing.T, s *Store, o Options) []any {
	t.Helper()
	ctx := t.Context()
	_, openErr := open(ctx, o, s.limits)
	_, observeErr := s.ObserveStore(ctx)
	_, recordErr := s.WriteRecord(ctx, *parsed("alice"), 9)
	_, credentialErr := s.WriteCredential(ctx, "alice", credential(), 9)
	_, missingErr := s.MissingCapabilities(ctx, reconcile.StoreNeeds{})
	var all []any
	for _, err := range []error{
		openErr, observeErr, recordErr, credentialErr, missingErr,
		s.WriteState(ctx, reconcile.State{FormatVersion: "1"}, 9), s.DestroyVersions(ctx, "alice", []int{1}),
		s.DeleteCredential(ctx, "alice", 9), s.DeleteRecord(ctx, "alice", 9),
	} {
		for ; err != nil; err = unwrap(err) {
			all = append(all, err, reconcile.Hint(err))
		}
	}
	return all
}

func unwrap(err error) error {
	u, ok := err.(interface{ Unwrap() error })
	if !ok {
		return nil
	}
	return u.Unwrap()
}

func TestPasswordInTheAddress(t *testing.T) {
	f := newFakeVault(t)
	f.environment(t)
	for name, address := range map[string]string{
		"answered":    strings.Replace(f.URL, "://", "://user:"+keyMarker+"@", 1),
		"unreachable": "https://user:" + keyMarker + "@127.0.0.1:1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("VAULT_ADDR", address)
			f.sealed = true
			_, err := open(t.Context(), Options{Owner: "prod-eu"}, quick)
			if err == nil || strings.Contains(err.Error(), keyMarker) || !strings.Contains(err.Error(), "user:xxxxx@") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAnswersAreNotWrapped(t *testing.T) {
	f := newFakeVault(t)
	f.environment(t)
	t.Setenv("VAULT_WRAP_TTL", "60s")
	s, err := open(t.Context(), Options{Owner: "prod-eu"}, quick)
	if err != nil {
		t.Fatal(err)
	}
	f.fault[len(f.log())+1] = func(w http.ResponseWriter, r *http.Request) {
		if ttl := r.Header.Get("X-Vault-Wrap-TTL"); ttl != "" {
			t.Errorf("the answer is asked to be wrapped for %s", ttl)
		}
		fail(w, 404)
	}
	if _, err := s.ObserveStore(t.Context()); err != nil {
		t.Error(err)
	}
}
