package vaultstore

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
)

// jwt is looked for in everything that is printed.
const jwt = "eyJhbGciOiJFUzI1NiJ9.the-jwt-that-must-not-be-printed"

// file writes a file of this text, and returns its path.
func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	rewrite(t, path, text)
	return path
}

func rewrite(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// asPod logs in as a pod does.
func asPod(t *testing.T) Login {
	t.Helper()
	return Login{Method: "kubernetes", Role: "certsync", TokenFile: file(t, jwt+"\n")}
}

// openLogin opens a Store that logs in, and forgets the calls of that. Unless the test has closed it, the end does.
func (f *fakeVault) openLogin(t *testing.T, l Login) *Store {
	t.Helper()
	f.environment(t)
	s, err := open(t.Context(), Options{Owner: "prod-eu", Login: l}, quick)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	f.forget()
	return s
}

// What each method sends, with a VAULT_TOKEN in the environment that must stay there.
func TestLogins(t *testing.T) {
	for name, test := range map[string]struct {
		login Login
		path  string
		want  map[string]any
	}{
		"kubernetes": {
			Login{Method: "kubernetes", Role: "certsync", TokenFile: file(t, jwt+"\n")},
			"auth/kubernetes/login", map[string]any{"role": "certsync", "jwt": jwt},
		},
		"kubernetes, mounted elsewhere": {
			Login{Method: "kubernetes", Mount: "/clusters/prod/", Role: "certsync", TokenFile: file(t, jwt)},
			"auth/clusters/prod/login", map[string]any{"role": "certsync", "jwt": jwt},
		},
		"jwt": {
			Login{Method: "jwt", Role: "ci", TokenFile: file(t, jwt+"\r\n")},
			"auth/jwt/login", map[string]any{"role": "ci", "jwt": jwt},
		},
		"approle, with a file": {
			Login{Method: "approle", RoleID: "the-role", SecretIDFile: file(t, " "+jwt+"\n")},
			"auth/approle/login", map[string]any{"role_id": "the-role", "secret_id": jwt},
		},
		"approle, without": {
			Login{Method: "approle", RoleID: "the-role", SecretID: reconcile.NewSecret([]byte(jwt + "\n"))},
			"auth/approle/login", map[string]any{"role_id": "the-role", "secret_id": jwt},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeVault(t)
			f.environment(t)
			s, err := open(t.Context(), Options{Owner: "prod-eu", Login: test.login}, quick)
			if err != nil {
				t.Fatal(err)
			}
			f.token = "" // given, and of no use from here on
			if err := s.WriteState(t.Context(), reconcile.State{FormatVersion: "1"}, 0); err != nil {
				t.Error(err)
			}
			if err := s.Close(t.Context()); err != nil {
				t.Error(err)
			}
			want := []string{
				"PUT " + test.path, "GET auth/token/lookup-self", "GET sys/internal/ui/mounts/secret",
				"PUT secret/data/certsync/prod-eu/state", "PUT auth/token/revoke-self",
			}
			if diff := cmp.Diff(want, f.log()); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]map[string]any{test.want}, f.logins); diff != "" {
				t.Errorf("sent (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{""}, f.brought); diff != "" {
				t.Errorf("tokens that came with it (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{tokenNumber(1)}, f.revoked); diff != "" {
				t.Errorf("revoked (-want +got):\n%s", diff)
			}
		})
	}
}

const (
	roleHint = "check that bound_service_account_names and bound_service_account_namespaces of auth/kubernetes/role/certsync name the service account, " +
		"and that its audience is one of the token's; check that auth/kubernetes/config lets Vault review the token in the cluster; " +
		"check that the method is mounted at auth/kubernetes (--vault-auth-mount)"
	fileHint = "name a file that holds the secret and nothing else with --vault-token-file"
	atVault  = `logging in to Vault at ADDRESS with kubernetes at auth/kubernetes as role "certsync": `
)

func TestLoginRefused(t *testing.T) {
	refusing := func(status int, reason string) func(*testing.T, *fakeVault, *Login) {
		return func(_ *testing.T, f *fakeVault, _ *Login) {
			f.refuse = func(string, map[string]any) (int, string) { return status, reason }
		}
	}
	for name, test := range map[string]struct {
		prepare    func(t *testing.T, f *fakeVault, l *Login)
		want, hint string
	}{
		"the role of another service account": {refusing(403, "service account name not authorized"),
			atVault + "Vault answered 403 Forbidden: service account name not authorized", roleHint},
		"no such role": {refusing(400, `invalid role name "certsync"`),
			atVault + `Vault answered 400 Bad Request: invalid role name "certsync"`, roleHint},
		"a role of the method jwt": {func(t *testing.T, f *fakeVault, l *Login) {
			l.Method = "jwt"
			refusing(400, "error validating token: invalid audience (aud) claim")(t, f, l)
		}, `logging in to Vault at ADDRESS with jwt at auth/jwt as role "certsync": Vault answered 400 Bad Request: error validating token: invalid audience (aud) claim`,
			"check that bound_audiences, bound_subject and bound_claims of auth/jwt/role/certsync match the JWT, and that it has not expired; " +
				"check that auth/jwt/config trusts its signer; check that the method is mounted at auth/jwt (--vault-auth-mount)"},
		"a secret ID that was used up": {func(t *testing.T, f *fakeVault, l *Login) {
			*l = Login{Method: "approle", Mount: "robots", RoleID: "the-role", SecretID: reconcile.NewSecret([]byte(jwt))}
			refusing(400, "invalid role or secret ID")(t, f, l)
		}, "logging in to Vault at ADDRESS with approle at auth/robots: Vault answered 400 Bad Request: invalid role or secret ID",
			"check the role ID and the secret ID: the secret ID may be expired, used up or another role's; check that the method is mounted at auth/robots (--vault-auth-mount)"},
		"a reason that repeats the token": {refusing(403, "what is "+jwt+"?"), atVault + "Vault answered 403 Forbidden: what is [redacted]?", roleHint},
		"a second factor": {func(_ *testing.T, f *fakeVault, _ *Login) { f.mfa = true },
			atVault + "it asks for a second factor", "use a role that needs no second factor"},
		"tokens for a number of uses": {func(_ *testing.T, f *fakeVault, _ *Login) { f.uses = 7 },
			atVault + "its tokens allow a limited number of requests", "set token_num_uses=0 on the role"},
		"a Vault that is sealed": {func(_ *testing.T, f *fakeVault, _ *Login) { f.sealed = true },
			atVault + "Vault answered 503 Service Unavailable: Vault is sealed", "unseal it with `vault operator unseal`"},
		"a Vault that is not initialized": {func(_ *testing.T, f *fakeVault, _ *Login) { f.fresh = true },
			atVault + "it is not initialized", "initialize it with `vault operator init`"},
		"something that is not Vault": {func(_ *testing.T, f *fakeVault, _ *Login) { f.fault[1] = page(200, `{"hello":"world"}`) },
			atVault + "talking to ADDRESS: the answer does not come from Vault", "check that VAULT_ADDR is the address of Vault"},
		"another server": {func(_ *testing.T, f *fakeVault, _ *Login) { f.fault[1] = page(404, "not here") },
			atVault + "talking to ADDRESS: the answer does not come from Vault", "check that VAULT_ADDR is the address of Vault"},
		"a proxy that lets nobody in": {func(_ *testing.T, f *fakeVault, _ *Login) { f.fault[1] = page(403, jwt) },
			atVault + "Vault answered 403 Forbidden", "check VAULT_ADDR: the answer did not come from Vault itself"},
		"no file": {func(_ *testing.T, _ *fakeVault, l *Login) { l.TokenFile = "/none/token" },
			atVault + "reading the file of --vault-token-file: open /none/token: no such file or directory", fileHint},
		"no file where a pod has it": {func(_ *testing.T, _ *fakeVault, l *Login) { l.TokenFile = "" },
			atVault + "reading the file of --vault-token-file: open /var/run/secrets/kubernetes.io/serviceaccount/token: no such file or directory", fileHint},
		"an empty file": {func(t *testing.T, _ *fakeVault, l *Login) { rewrite(t, l.TokenFile, "\n") },
			atVault + `reading the file of --vault-token-file: "FILE" is empty`, fileHint},
		"a file of two lines": {func(t *testing.T, _ *fakeVault, l *Login) { rewrite(t, l.TokenFile, jwt+"\n"+jwt) },
			atVault + "reading the file of --vault-token-file: it contains characters that no token has", fileHint},
		"a large file": {func(t *testing.T, _ *fakeVault, l *Login) { rewrite(t, l.TokenFile, strings.Repeat(jwt, 9999)) },
			atVault + `reading the file of --vault-token-file: read FILE: larger than 64 KiB`, fileHint},
		"a folder": {func(t *testing.T, _ *fakeVault, l *Login) { l.TokenFile = t.TempDir() },
			atVault + `reading the file of --vault-token-file: open FILE: not a regular file`, fileHint},
		"no file of the secret ID": {func(_ *testing.T, _ *fakeVault, l *Login) {
			*l = Login{Method: "approle", RoleID: "the-role", SecretIDFile: "/none/id"}
		}, "logging in to Vault at ADDRESS with approle at auth/approle: reading the file of --vault-secret-id-file: open /none/id: no such file or directory",
			"name a file that holds the secret and nothing else with --vault-secret-id-file"},
		"a mount that walks up": {func(_ *testing.T, _ *fakeVault, l *Login) { l.Mount = "../sys" },
			`reading the mount "../sys" of Vault's method kubernetes: ".." cannot be a part of a path (--vault-auth-mount)`, ""},
		"a method that there is not": {func(_ *testing.T, _ *fakeVault, l *Login) { l.Method = "ldap" },
			`"ldap" is not a way to log in to Vault (--vault-auth)`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeVault(t)
			f.environment(t)
			l := asPod(t)
			test.prepare(t, f, &l)
			_, err := open(t.Context(), Options{Owner: "prod-eu", Login: l}, quick)
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(strings.NewReplacer("ADDRESS", f.URL, "FILE", l.TokenFile).Replace(test.want), err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.hint, hintOf(err)); diff != "" {
				t.Errorf("hint (-want +got):\n%s", diff)
			}
			if living := f.living(); len(living) > 0 {
				t.Errorf("left behind: %q", living)
			}
		})
	}
}

// Logging in is tried again like any other request.
func TestLoginIsTriedAgain(t *testing.T) {
	f := newFakeVault(t)
	f.fault[1], f.fault[2], f.fault[3] = failsWith(502), failsWith(429, "rate limit quota exceeded"), failsWith(500, "oh")
	f.fault[4] = func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	f.environment(t)
	l := asPod(t)
	if _, err := open(t.Context(), Options{Owner: "prod-eu", Login: l}, quick); err == nil || !strings.Contains(err.Error(), ": reaching Vault at "+f.URL) {
		t.Errorf("after three failures: %v", err)
	}
	f.forget()
	delete(f.fault, 4)
	f.openLogin(t, l)
}

// A token without the default policy may not look itself up, nor revoke itself: the second is said.
func TestLoginWithoutTheDefaultPolicy(t *testing.T) {
	f := newFakeVault(t)
	f.environment(t)
	f.denied = func(_, path string) bool { return strings.HasPrefix(path, "auth/token/") }
	s, err := open(t.Context(), Options{Owner: "prod-eu", Login: asPod(t)}, quick)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Close(t.Context())
	if want := "revoking the Vault token that certsync got by logging in: Vault answered 403 Forbidden: permission denied"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %q", err, want)
	}
	if want := `the token's policies must allow "update" on auth/token/revoke-self, as the policy "default" does`; hintOf(err) != want {
		t.Errorf("the hint is %q, want %q", hintOf(err), want)
	}
	f.denied = func(string, string) bool { return true }
	_, err = open(t.Context(), Options{Owner: "prod-eu", Login: asPod(t)}, quick)
	if want := `checking Vault's mount "secret": Vault answered 403 Forbidden: permission denied; and revoking the Vault token`; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
	if hint := hintOf(err); !strings.HasPrefix(hint, "there is no such mount, or the token's policies allow nothing in it.") {
		t.Errorf("the hint is %q", hint)
	}
}

func TestClosingAVaultThatDoesNotAnswer(t *testing.T) {
	f := newFakeVault(t)
	f.environment(t)
	l := quick
	l.closing = 50 * time.Millisecond
	s, err := open(t.Context(), Options{Owner: "prod-eu", Login: asPod(t)}, l)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	f.fault[len(f.log())+1] = func(http.ResponseWriter, *http.Request) { <-done }
	err = s.Close(t.Context())
	want := "revoking the Vault token that certsync got by logging in: waiting for Vault at " + f.URL + ": no answer came in 50ms"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %q", err, want)
	}
	if hint := hintOf(err); !strings.HasPrefix(hint, "the token stays valid until it expires") {
		t.Errorf("the hint is %q", hint)
	}
}
