package reconcile

import (
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/inventory/userkey"
)

// FrontProxy is whom an API server lets speak for others: who shows a certificate of one of its CAs, with an allowed name,
// is believed when saying in X-Remote-User and X-Remote-Group on whose behalf a request is. The zero value trusts nobody.
type FrontProxy struct {
	// SharedCA: what a CA for clients signs is of one of these CAs too.
	SharedCA bool
	// AllowedNames are the CNs that are trusted; empty: any.
	AllowedNames []string
	// CAs are the front proxies' (PEM).
	CAs []byte
}

// NewFrontProxy compares the CAs for clients with those for front proxies, both PEM. Anything else in them is passed
// over: no API server takes it either.
func NewFrontProxy(clientCAs, proxyCAs []byte, allowedNames []string, now time.Time) FrontProxy {
	f := FrontProxy{AllowedNames: allowedNames, CAs: proxyCAs}
	clients, proxies := parseAll(clientCAs), parseAll(proxyCAs)
	for _, c := range clients {
		// One key under two certificates is one CA. And who holds a certificate of a CA for clients can show that CA along
		// with it: if a front proxy's CA vouches for it, it vouches for them.
		f.SharedCA = f.SharedCA || vouches(proxies, c, clients, now) ||
			slices.ContainsFunc(proxies, func(p *x509.Certificate) bool { return userkey.Same(c.PublicKey, p.PublicKey) })
	}
	return f
}

// Trusts reports whether a CA of front proxies stands behind a chain (PEM, leaf first).
func (f FrontProxy) Trusts(chain []byte, now time.Time) bool {
	certs := parseAll(chain)
	return len(certs) > 0 && vouches(parseAll(f.CAs), certs[0], certs[1:], now)
}

// Forbids says why a user must not get a certificate that was issued, or "": the CA that signs need not be one of those that
// the API servers publish.
func (f FrontProxy) Forbids(user string, chain []byte, accepted bool, now time.Time) string {
	f.SharedCA = f.Trusts(chain, now)
	if why := f.ForgeableByAll(); why != "" && !accepted {
		return why
	}
	return f.Impersonates(user)
}

// vouches reports whether one of the CAs stands behind cert, as the API server looks at it.
func vouches(cas []*x509.Certificate, cert *x509.Certificate, between []*x509.Certificate, now time.Time) bool {
	_, err := cert.Verify(x509.VerifyOptions{
		Roots: poolOf(cas), Intermediates: poolOf(between), CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	return err == nil
}

// parseAll returns the certificates in a PEM bundle of somebody else's.
func parseAll(bundle []byte) []*x509.Certificate {
	var found []*x509.Certificate
	for block := range inventory.CertificateBlocks(bundle) {
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil {
			found = append(found, cert)
		}
	}
	return found
}

// poolOf is never nil, which would stand for the system's roots.
func poolOf(certs []*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, c := range certs {
		pool.AddCert(c)
	}
	return pool
}

// ForgeableByAll says why nobody at all may get a certificate from this cluster, or "".
func (f FrontProxy) ForgeableByAll() string {
	if !f.SharedCA || len(f.AllowedNames) > 0 {
		return ""
	}
	return "one CA signs for clients and for front proxies, and requestheader-allowed-names is empty. " +
		"Every user with a certificate can impersonate anybody with a request header (give the front proxy a CA of its own; --accept-shared-ca)"
}

// Impersonates says why this name must not get a certificate, or "". No flag lifts it: nobody needs that name.
func (f FrontProxy) Impersonates(user string) string {
	if !f.SharedCA || !slices.Contains(f.AllowedNames, user) {
		return ""
	}
	return fmt.Sprintf("a certificate for %q could impersonate anybody with a request header: one CA signs for clients and for front proxies, "+
		"and requestheader-allowed-names has this name (choose another name, or give the front proxy a CA of its own)", user)
}
