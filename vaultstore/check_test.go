package vaultstore

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
)

// The home directory is looked up once in a process.
func TestMain(m *testing.M) {
	home, err := os.MkdirTemp("", "vaultstore")
	if err != nil {
		panic(err)
	}
	if err := os.Setenv("HOME", home); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(home)
	os.Exit(code)
}

func TestOpenAsksOnlyWhatIsNeeded(t *testing.T) {
	f := newFakeVault(t)
	f.environment(t)
	if _, err := Open(t.Context(), Options{Owner: "prod-eu", UserAgent: "certsync/1.2"}); err != nil {
		t.Fatal(err)
	}
	want := []string{"GET auth/token/lookup-self", "GET sys/internal/ui/mounts/secret"}
	if diff := cmp.Diff(want, f.log()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if f.agents[0] != "certsync/1.2" {
		t.Errorf("the user agent is %q", f.agents[0])
	}
}

var refusals = map[string]struct {
	prepare func(t *testing.T, f *fakeVault, o *Options)
	want    string
	hint    string
}{
	"a Vault that is sealed": {func(_ *testing.T, f *fakeVault, _ *Options) { f.sealed = true },
		"logging in to Vault at ADDRESS: Vault answered 503 Service Unavailable: Vault is sealed", "unseal it with `vault operator unseal`"},
	"a sealed Vault, without a token": {func(t *testing.T, f *fakeVault, _ *Options) { f.sealed = true; t.Setenv("VAULT_TOKEN", "") },
		"logging in to Vault at ADDRESS: Vault answered 503 Service Unavailable: Vault is sealed", "unseal it with `vault operator unseal`"},
	"a Vault that is not initialized": {func(_ *testing.T, f *fakeVault, _ *Options) { f.fresh = true },
		"logging in to Vault at ADDRESS: it is not initialized", "initialize it with `vault operator init`"},
	"no token": {func(t *testing.T, _ *fakeVault, _ *Options) { t.Setenv("VAULT_TOKEN", "") },
		"logging in to Vault at ADDRESS: there is no token", "run `vault login`, or set VAULT_TOKEN"},
	"an expired token": {func(t *testing.T, _ *fakeVault, _ *Options) { t.Setenv("VAULT_TOKEN", goodToken+"-old") },
		"logging in to Vault at ADDRESS: Vault answered 403 Forbidden: permission denied, invalid token",
		"the token is unknown, expired or revoked: run `vault login`, or set VAULT_TOKEN"},
	"an expired token, and a Vault that says less": {func(_ *testing.T, f *fakeVault, _ *Options) {
		f.denied = func(string, string) bool { return true }
	},
		"logging in to Vault at ADDRESS: Vault answered 403 Forbidden: permission denied",
		"the token may be expired or revoked: run `vault login`, or set VAULT_TOKEN"},
	"a token for a number of uses": {func(_ *testing.T, f *fakeVault, _ *Options) { f.uses = 20 },
		"logging in to Vault at ADDRESS: the token allows only 20 more requests, and would end in the middle of a run", "use a token without a limit: num_uses=0, or `vault token create` without -use-limit"},
	"a token of two lines": {func(t *testing.T, _ *fakeVault, _ *Options) { t.Setenv("VAULT_TOKEN", goodToken+"\n"+goodToken) },
		"reading the Vault token: it contains characters that no token has", "run `vault login`, or set VAULT_TOKEN"},
	"no mount": {func(_ *testing.T, _ *fakeVault, o *Options) { o.Mount = "kv" },
		`checking Vault's mount "kv": Vault answered 403 Forbidden: preflight capability check returned 403, please ensure client's policies grant access to path "kv/"`,
		"there is no such mount, or the token's policies allow nothing in it. Create it with `vault secrets enable -path=kv -version=2 kv`, or name another with --vault-mount"},
	"a folder in a mount": {func(_ *testing.T, _ *fakeVault, o *Options) { o.Mount = "secret/team" },
		`checking Vault's mount "secret/team": the mount at this path is "secret/"`, "name the mount with --vault-mount, and folders in it with --vault-prefix"},
	"KV version 1": {func(_ *testing.T, f *fakeVault, _ *Options) { f.mounts["secret/"] = "kv" },
		`checking Vault's mount "secret": it is a KV store of version 1, which keeps no versions`,
		"upgrade it with `vault kv enable-versioning secret`, or name another with --vault-mount"},
	"KV version 1, by its name": {func(_ *testing.T, f *fakeVault, _ *Options) { f.mounts["secret/"] = "kv 1" },
		`checking Vault's mount "secret": it is a KV store of version 1, which keeps no versions`,
		"upgrade it with `vault kv enable-versioning secret`, or name another with --vault-mount"},
	"another secrets engine": {func(_ *testing.T, f *fakeVault, _ *Options) { f.mounts["secret/"] = "pki" },
		`checking Vault's mount "secret": it is a secrets engine of type "pki", not a KV store`, "name a KV store of version 2 with --vault-mount"},
	"an owner that walks up": {func(_ *testing.T, _ *fakeVault, o *Options) { o.Owner = ".." }, `".." is not a valid owner`, ""},
	"a mount that walks up": {func(_ *testing.T, _ *fakeVault, o *Options) { o.Mount = "a/../sys" },
		`reading the mount "a/../sys": ".." cannot be a part of a path (--vault-mount)`, ""},
	"a prefix with a hole": {func(_ *testing.T, _ *fakeVault, o *Options) { o.Prefix = "a//b" },
		`reading the prefix "a//b": "" cannot be a part of a path (--vault-prefix)`, ""},
	"a CA file that is not there": {func(t *testing.T, _ *fakeVault, _ *Options) { t.Setenv("VAULT_CACERT", "/none/ca.crt") },
		"reading the VAULT_ variables: Error loading CA File: open /none/ca.crt: no such file or directory",
		"check VAULT_CACERT, VAULT_CLIENT_CERT and the other VAULT_ variables in the environment"},
	"an address that is none": {func(t *testing.T, f *fakeVault, _ *Options) { t.Setenv("VAULT_ADDR", "https://vault:port") },
		`preparing to talk to Vault: parse "https://vault:port": invalid port ":port" after host`,
		"check VAULT_ADDR and VAULT_HEADERS in the environment; VAULT_ADDR is a URL, such as https://vault.example.com:8200"},
	"an IP address without a scheme": {func(t *testing.T, f *fakeVault, _ *Options) { t.Setenv("VAULT_ADDR", "127.0.0.1:8200") },
		`preparing to talk to Vault: parse "127.0.0.1:8200": first path segment in URL cannot contain colon`,
		"check VAULT_ADDR and VAULT_HEADERS in the environment; VAULT_ADDR is a URL, such as https://vault.example.com:8200"},
}

func TestOpenRefuses(t *testing.T) {
	for name, test := range refusals {
		t.Run(name, func(t *testing.T) {
			f := newFakeVault(t)
			f.environment(t)
			o := Options{Owner: "prod-eu"}
			test.prepare(t, f, &o)
			_, err := open(t.Context(), o, quick)
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(strings.ReplaceAll(test.want, "ADDRESS", f.URL), err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.hint, hintOf(err)); diff != "" {
				t.Errorf("hint (-want +got):\n%s", diff)
			}
			if writes := f.writes(); len(writes) > 0 {
				t.Errorf("something was written: %q", writes)
			}
		})
	}
}

// A token without the default policy may not look itself up, and still be all that is needed.
func TestOpenWithoutTheDefaultPolicy(t *testing.T) {
	f := newFakeVault(t)
	f.environment(t)
	f.denied = func(_, path string) bool { return strings.HasPrefix(path, "auth/") }
	if _, err := open(t.Context(), Options{Owner: "prod-eu"}, quick); err != nil {
		t.Error(err)
	}
}

func TestOpenTakesAddressesAsPeopleWriteThem(t *testing.T) {
	f := newFakeVault(t)
	f.mounts["team/kv/"] = "kv 2"
	f.environment(t)
	s, err := open(t.Context(), Options{Owner: "prod-eu", Mount: "/team/kv/", Prefix: "apps/certsync/"}, quick)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.tree.data("state"), "team/kv/data/apps/certsync/prod-eu/state"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWhereTheTokenComesFrom(t *testing.T) {
	file := filepath.Join(os.Getenv("HOME"), ".vault-token")
	if err := os.WriteFile(file, []byte("from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(file)
	for name, test := range map[string]struct{ option, variable, want string }{
		"options first":    {"from-options", "from-environment", "from-options"},
		"then environment": {"", "from-environment\n", "from-environment"},
		"then ~":           {"", "", "from-file"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeVault(t)
			f.environment(t)
			t.Setenv("VAULT_TOKEN", test.variable)
			f.token = test.want
			o := Options{Owner: "prod-eu"}
			if test.option != "" {
				o.Token = reconcile.NewSecret([]byte(test.option))
			}
			if _, err := open(t.Context(), o, quick); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestNoConnection(t *testing.T) {
	f := newFakeVault(t)
	tlsVault := httptest.NewUnstartedServer(f)
	tlsVault.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshakes that fail here
	tlsVault.StartTLS()
	defer tlsVault.Close()
	gone := httptest.NewServer(f)
	gone.Close()
	host := func(url string) string { _, h, _ := strings.Cut(url, "://"); return h }
	for name, test := range map[string]struct {
		address string
		set     map[string]string
		want    string
		hint    string
	}{
		"nobody there": {gone.URL, nil,
			"logging in to Vault at ADDRESS: reaching Vault at ADDRESS: dial tcp " + host(gone.URL) + ": connect: connection refused",
			"check VAULT_ADDR, and that Vault is running"},
		"a certificate of an unknown CA": {tlsVault.URL, nil,
			"logging in to Vault at ADDRESS: reaching Vault at ADDRESS: tls: failed to verify certificate: x509: certificate signed by unknown authority",
			"set VAULT_CACERT to the file with the CA certificate of Vault's server"},
		"another name": {tlsVault.URL, map[string]string{"VAULT_TLS_SERVER_NAME": "vault.internal"},
			"logging in to Vault at ADDRESS: reaching Vault at ADDRESS: tls: failed to verify certificate: x509: certificate is valid for example.com, *.example.com, not vault.internal",
			"set VAULT_ADDR to a name in the server's certificate, or set VAULT_TLS_SERVER_NAME to that name"},
		"no TLS where it is spoken": {"http://" + host(tlsVault.URL), nil,
			"logging in to Vault at ADDRESS: Vault answered 400 Bad Request", "the server speaks TLS: VAULT_ADDR must begin with https://"},
		"TLS where none is spoken": {"https://" + host(f.URL), nil,
			"logging in to Vault at ADDRESS: reaching Vault at ADDRESS: http: server gave HTTP response to HTTPS client",
			"the server does not speak TLS: VAULT_ADDR must begin with http://"},
		"a name without a scheme": {"vault.example.com:8200", nil,
			`logging in to Vault at ADDRESS: reaching Vault at ADDRESS: unsupported protocol scheme "vault.example.com"`,
			"VAULT_ADDR must begin with https://, or with http:// if Vault does not speak TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			f.environment(t)
			t.Setenv("VAULT_ADDR", test.address)
			for name, value := range test.set {
				t.Setenv(name, value)
			}
			_, err := open(t.Context(), Options{Owner: "prod-eu"}, quick)
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(strings.ReplaceAll(test.want, "ADDRESS", test.address), err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.hint, hintOf(err)); diff != "" {
				t.Errorf("hint (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNoAddress: whoever forgot VAULT_ADDR is told so. vault/api then takes a Vault on this machine.
func TestNoAddress(t *testing.T) {
	cleanEnvironment(t)
	s, err := newStore(t.Context(), Options{Owner: "prod-eu", Token: reconcile.NewSecret([]byte("t"))}, quick)
	if err != nil {
		t.Fatal(err)
	}
	refused := &url.Error{Op: "Get", URL: "https://127.0.0.1:8200/v1/x", Err: errors.New("connection refused")}
	err = s.explainConnection(refused)
	if want := "reaching Vault at https://127.0.0.1:8200: connection refused"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	if want := "set VAULT_ADDR: without it, certsync tries to reach Vault on this machine"; hintOf(err) != want {
		t.Errorf("hint: got %q, want %q", hintOf(err), want)
	}
}

func TestOpenEndsWithItsContext(t *testing.T) {
	f := newFakeVault(t)
	f.environment(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	if _, err := open(ctx, Options{Owner: "prod-eu"}, quick); err == nil || !strings.Contains(err.Error(), "context deadline exceeded") {
		t.Errorf("got %v", err)
	}
}
