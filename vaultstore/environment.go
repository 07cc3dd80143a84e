package vaultstore

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/hashicorp/vault/api"

	"github.com/certsync/certsync/reconcile"
)

// explainVariables says what is wrong with the VAULT_ variables, of which vault/api has made err.
func explainVariables(err error) error {
	err = withoutAddress(err)
	hint := "check VAULT_CACERT, VAULT_CLIENT_CERT and the other VAULT_ variables in the environment"
	if value := os.Getenv(api.EnvVaultMaxRetries); errors.Is(err, strconv.ErrSyntax) || errors.Is(err, strconv.ErrRange) {
		err = fmt.Errorf("%s is %q, which is not a number", api.EnvVaultMaxRetries, short(value))
		hint = "set " + api.EnvVaultMaxRetries + " to a number such as 2, or unset it"
	}
	for _, name := range []string{api.EnvVaultCACert, api.EnvVaultCAPath, api.EnvVaultClientCert, api.EnvVaultClientKey} {
		if strings.HasPrefix(os.Getenv(name), "~") {
			hint = name + " begins with ~, which only a shell replaces: write the whole path"
		}
	}
	return reconcile.WithHint(fmt.Errorf("reading the VAULT_ variables: %w", err), hint)
}

// withoutAddress returns err without an address that is no URL and has a password in it. A character that a password may not
// hold unescaped is a usual reason, and net/url repeats what it read of the address.
func withoutAddress(err error) error {
	var parsing *url.Error
	if !errors.As(err, &parsing) {
		return err
	}
	for _, name := range []string{api.EnvVaultAddress, api.EnvVaultAgentAddr, api.EnvVaultProxyAddr, api.EnvHTTPProxy} {
		value := os.Getenv(name)
		// net/url reads up to a # first.
		if strings.HasPrefix(value, parsing.URL) && strings.Contains(value, "@") {
			return fmt.Errorf("%s is not a URL: in a password, write %%25 for %%, %%23 for # and %%2F for /", name)
		}
	}
	return err
}

// proxyRefusal is the error for a proxy that does not connect to Vault. net/http only repeats the words of its status.
type proxyRefusal struct{ proxy, status string }

func (p proxyRefusal) Error() string {
	return fmt.Sprintf("the proxy %s refuses to connect: %s", p.proxy, p.status)
}

// checkProxy returns a proxyRefusal for a proxy that does not connect.
func checkProxy(_ context.Context, proxy *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	return proxyRefusal{proxy.Redacted(), short(answer.Status)}
}

// proxyHint is for a proxy that is the reason.
const proxyHint = "VAULT_PROXY_ADDR, VAULT_HTTP_PROXY or HTTPS_PROXY names the proxy: check its address, user name and password there, or add Vault's host to NO_PROXY"
