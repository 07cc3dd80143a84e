package vaultstore

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/hashicorp/vault/api"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/httplimit"
)

// refusal is an answer of Vault that is an error. api.ResponseError is not wrapped: it takes six lines to say the same,
// with the password of the address.
type refusal struct {
	status int
	errs   []string
}

func (r *refusal) Error() string {
	text := strings.TrimSpace(fmt.Sprintf("Vault answered %d %s", r.status, http.StatusText(r.status)))
	var reasons []string
	for _, e := range r.errs {
		reasons = append(reasons, reasonsIn(e)...)
	}
	if len(reasons) > 0 {
		text += ": " + short(strings.Join(reasons, ", "))
	}
	return text
}

// maxText is how many bytes of a text are shown that Vault, or whoever answers in its place, has chosen.
const maxText = 1 << 10

// short keeps the beginning of a text.
func short(text string) string { return inventory.Shorten(text, maxText) }

// reasonsIn takes Vault's "2 errors occurred:", with each on a line of its own after a "*", apart.
func reasonsIn(text string) []string {
	head, list, found := strings.Cut(text, " occurred:\n")
	if !found || !strings.HasSuffix(head, " error") && !strings.HasSuffix(head, " errors") {
		list = text
	}
	var reasons []string
	for line := range strings.Lines(list) {
		if line = strings.TrimPrefix(strings.TrimSpace(line), "* "); line != "" {
			reasons = append(reasons, line)
		}
	}
	return reasons
}

// says reports whether Vault gave text as the reason. The texts looked for are those of Vault v1.21.
func (r *refusal) says(text string) bool {
	for _, e := range r.errs {
		if strings.Contains(e, text) {
			return true
		}
	}
	return false
}

// refused returns the refusal in err's tree if it has that status.
func refused(err error, status int) (*refusal, bool) {
	var r *refusal
	ok := errors.As(err, &r) && r.status == status
	return r, ok
}

// permissionDenied is what Vault says whenever it denies a request. invalidToken comes with it for a token that Vault does not
// know, or no longer.
const permissionDenied, invalidToken = "permission denied", "invalid token"

// explain says what went wrong between us and Vault, and what to do. hint is for the case that Vault denies the request.
func (s *Store) explain(err error, c *attempts, hint string) error {
	var answered *api.ResponseError
	var large *httplimit.TooLarge
	switch {
	case err == nil:
		return nil
	case errors.As(err, &large):
		return reconcile.WithHint(fmt.Errorf("talking to %s: %w", s.address, large),
			"check that VAULT_ADDR is the address of Vault, and that no proxy answers in its place")
	case errors.Is(err, errTooDeep):
		return err
	case errors.As(err, &answered):
		return explainRefusal(answered, hint)
	case errors.Is(err, errMalformed):
		return reconcile.WithHint(fmt.Errorf("talking to %s: %w", s.address, err),
			"check that VAULT_ADDR is the address of Vault")
	case errors.Is(err, context.DeadlineExceeded) && c.delayed != "":
		return unreachable{fmt.Errorf("waiting for Vault at %s: after %s it still %s", s.address, inventory.DurationText(s.limits.patience), c.delayed)}
	case timedOut(err):
		err = fmt.Errorf("waiting for Vault at %s to answer: no answer came in %s", s.address, inventory.DurationText(s.limits.answer))
		return reconcile.WithHint(unreachable{err},
			"check VAULT_ADDR, and that the network lets certsync reach it; VAULT_CLIENT_TIMEOUT sets how long to wait")
	}
	return s.explainConnection(err)
}

func explainRefusal(answered *api.ResponseError, hint string) error {
	r := &refusal{status: answered.StatusCode, errs: answered.Errors}
	plainHTTP := r.says("Client sent an HTTP request to an HTTPS server")
	if answered.RawError {
		r.errs = nil // whose page it is nobody knows, nor what it repeats of the request
	}
	switch {
	case plainHTTP:
		return reconcile.WithHint(r, "the server speaks TLS: VAULT_ADDR must begin with https://")
	case r.says("check-and-set parameter did not match"):
		return reconcile.ErrPrecondition
	case r.says("Vault is sealed"):
		return reconcile.WithHint(r, "unseal it with `vault operator unseal`")
	case r.says("in replication DR secondary mode"):
		return reconcile.WithHint(r, "set VAULT_ADDR to the primary's address: it names a disaster recovery secondary")
	case r.says("no handler for route"):
		return reconcile.WithHint(r, "check --vault-mount and VAULT_NAMESPACE: nothing is mounted there, the mount was moved, or its plugin has failed")
	case r.status == http.StatusProxyAuthRequired:
		return reconcile.WithHint(r, proxyHint)
	case answered.RawError, answered.Errors == nil:
		return reconcile.WithHint(r, "check VAULT_ADDR: the answer did not come from Vault itself")
	case r.status == http.StatusForbidden && r.says(invalidToken):
		return reconcile.WithHint(r, "the token is unknown, expired or revoked: "+loginHint)
	case r.status == http.StatusForbidden:
		return reconcile.WithHint(r, hint)
	}
	return r
}

// explainConnection is for what came before any answer.
func (s *Store) explainConnection(err error) error {
	// net/http names method and whole URL, which the path in front of the message says already.
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err
	}
	var untrusted x509.UnknownAuthorityError
	var name x509.HostnameError
	var verification *tls.CertificateVerificationError
	var alert tls.AlertError
	hint := "check VAULT_ADDR, and that Vault is running"
	if os.Getenv(api.EnvVaultAddress) == "" && os.Getenv(api.EnvVaultAgentAddr) == "" {
		hint = "set VAULT_ADDR: without it, certsync tries to reach Vault on this machine"
	}
	var connecting *net.OpError
	switch {
	case errors.As(err, new(proxyRefusal)), errors.As(err, &connecting) && connecting.Op == "proxyconnect":
		hint = proxyHint
	case errors.As(err, &name):
		hint = "set VAULT_ADDR to a name in the server's certificate, or set VAULT_TLS_SERVER_NAME to that name"
	case errors.As(err, &untrusted), errors.As(err, &verification):
		hint = "set VAULT_CACERT to the file with the CA certificate of Vault's server"
	case errors.As(err, &alert):
		hint = "Vault's server ended the TLS handshake: check whether it needs VAULT_CLIENT_CERT and VAULT_CLIENT_KEY"
	case strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		hint = "the server does not speak TLS: VAULT_ADDR must begin with http://"
	case strings.Contains(err.Error(), "unsupported protocol scheme"): // of vault.example.com:8200, for example
		hint = "VAULT_ADDR must begin with https://, or with http:// if Vault does not speak TLS"
	}
	return reconcile.WithHint(fmt.Errorf("reaching Vault at %s: %w", s.address, unreachable{err}), hint)
}

// unreachable is an error of the way to Vault, which may be open again later. A certificate that is not trusted is one: the
// login page of a hotel's network has such a certificate.
type unreachable struct{ error }

func (u unreachable) Unwrap() error { return u.error }

// loginFailure is an error of a login. It says nothing about what the user may read: method kubernetes answers 403 also when
// Vault cannot reach the cluster (hashicorp/vault#20165).
type loginFailure struct{ error }

func (l loginFailure) Unwrap() error { return l.error }

// Unavailable reports an outage: something other than Vault's own refusal came in place of the credential. Vault is sealed,
// starting, overloaded or a disaster recovery secondary, its mount was moved, nothing answers, or something else answers.
func Unavailable(err error) bool {
	if Refused(err) {
		return false
	}
	return errors.As(err, new(*refusal)) || errors.As(err, new(unreachable)) ||
		errors.As(err, new(*httplimit.TooLarge)) || errors.Is(err, errMalformed) || errors.Is(err, errTooDeep) || errors.Is(err, errUninitialized)
}

// Refused reports Vault's own refusal: 403 for the token, in Vault's words, or ErrNoCredential for a path under a mount that
// exists. The user has lost the right to what Vault gave before. No other answer says that.
func Refused(err error) bool {
	if errors.As(err, new(loginFailure)) {
		return false
	}
	r, denied := refused(err, http.StatusForbidden)
	return denied && r.says(permissionDenied) || errors.Is(err, ErrNoCredential)
}
