package vaultstore

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/certsync/certsync/reconcile"
)

// TestVariables: each variable that is wrong is named, with what to write.
func TestVariables(t *testing.T) {
	for sentence, tt := range map[string]struct{ name, value, want, hint string }{
		"no number":                 {"VAULT_MAX_RETRIES", "x", `reading the VAULT_ variables: VAULT_MAX_RETRIES is "x", which is not a number`, "set VAULT_MAX_RETRIES to a number"},
		"a number too large":        {"VAULT_MAX_RETRIES", "99999999999", `VAULT_MAX_RETRIES is "99999999999"`, "set VAULT_MAX_RETRIES to a number"},
		"another one":               {"VAULT_CLIENT_TIMEOUT", "x", "VAULT_CLIENT_TIMEOUT", "check VAULT_CACERT"},
		"a proxy's password":        {"VAULT_PROXY_ADDR", "http://me:s3cret%zz@proxy:3128", "reading the VAULT_ variables: VAULT_PROXY_ADDR is not a URL: in a password, write %25 for %", "check VAULT_CACERT"},
		"one with a #":              {"VAULT_HTTP_PROXY", "http://me:s3cret#x@proxy:3128", "reading the VAULT_ variables: VAULT_HTTP_PROXY is not a URL", "check VAULT_CACERT"},
		"one without a scheme":      {"VAULT_PROXY_ADDR", "1:s3cret@proxy:3128", "reading the VAULT_ variables: VAULT_PROXY_ADDR is not a URL", "check VAULT_CACERT"},
		"a password in the address": {"VAULT_ADDR", "https://me:s3cret/x@vault.example.com", "preparing to talk to Vault: VAULT_ADDR is not a URL", "check VAULT_ADDR"},
		"a Vault Agent's":           {"VAULT_AGENT_ADDR", "https://me:s3cret%@vault.example.com", "preparing to talk to Vault: VAULT_AGENT_ADDR is not a URL", "check VAULT_ADDR"},
		"an address without https":  {"VAULT_ADDR", "me:s3cret@vault.example.com/v1", "preparing to talk to Vault: its address VAULT_ADDR ends in /v1", "remove /v1 from VAULT_ADDR"},
		"an address without one":    {"VAULT_ADDR", "10.0.0.1:8200", `preparing to talk to Vault: parse "10.0.0.1:8200": first path segment in URL cannot contain colon`, "check VAULT_ADDR"},
		"a path with a tilde":       {"VAULT_CACERT", "~/ca.crt", "~/ca.crt", "VAULT_CACERT begins with ~, which only a shell replaces: write the whole path"},
		"the API's path":            {"VAULT_ADDR", "https://vault.example.com/v1", "its address https://vault.example.com/v1 ends in /v1", "remove /v1 from VAULT_ADDR"},
		"the API's path with slash": {"VAULT_ADDR", "https://u:s3cret@vault.example.com/v1/", "ends in /v1", "remove /v1 from VAULT_ADDR"},
	} {
		t.Run(sentence, func(t *testing.T) {
			cleanEnvironment(t)
			t.Setenv(tt.name, tt.value)
			_, _, err := newClient(Options{}, quick)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(hintOf(err), tt.hint) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%v, hint %q", err, hintOf(err))
			}
		})
	}
	cleanEnvironment(t)
	t.Setenv("VAULT_ADDR", "https://example.com/vault/v1x")
	if _, _, err := newClient(Options{}, quick); err != nil {
		t.Error(err)
	}
}

// TestProxyRefuses: a proxy that does not connect is named, without its password, and so is one that does not answer.
func TestProxyRefuses(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusProxyAuthRequired) }))
	read := func(address string) error {
		t.Helper()
		cleanEnvironment(t)
		t.Setenv("VAULT_ADDR", address)
		t.Setenv("VAULT_PROXY_ADDR", strings.Replace(proxy.URL, "://", "://me:s3cret@", 1))
		s, err := openUser(t.Context(), Options{Owner: "prod-eu", Token: reconcile.NewSecret([]byte(goodToken))}, quick)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.ReadCredential(t.Context(), "alice")
		if !Unavailable(err) || hintOf(err) != proxyHint || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%v, hint %q", err, hintOf(err))
		}
		return err
	}
	host := strings.TrimPrefix(proxy.URL, "http://")
	if err := read("https://vault.example.com"); !strings.Contains(err.Error(), "the proxy http://me:xxxxx@"+host+" refuses to connect: 407 Proxy Authentication Required") {
		t.Error(err)
	}
	if err := read("http://vault.example.com"); !strings.Contains(err.Error(), "407 Proxy Authentication Required") {
		t.Error(err)
	}
	proxy.Close()
	if err := read("https://vault.example.com"); !strings.Contains(err.Error(), "proxyconnect") {
		t.Error(err)
	}
}
