package pki

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/inventory/userkey"
	"github.com/certsync/certsync/reconcile"
)

// check returns the leaf if the issued chain is what was asked for, and an error that says in what it is not. A
// certificate that fails here is never stored: its holder would be somebody else than the inventory says.
func check(s reconcile.CertificateSpec, chain []byte, key crypto.PublicKey, now time.Time) (*x509.Certificate, error) {
	cert, err := reconcile.ParseLeaf(chain)
	if err != nil {
		return nil, err
	}
	if !userkey.Same(cert.PublicKey, key) {
		return nil, errors.New("it is for another key")
	}
	if err := clientForm(cert); err != nil {
		return nil, err
	}
	switch {
	case cert.Subject.CommonName != s.Username():
		return nil, fmt.Errorf("its CN is %q", cert.Subject.CommonName)
	case !slices.Equal(reconcile.SortedSet(cert.Subject.Organization), s.Groups):
		return nil, fmt.Errorf("its O are %q, not %q", cert.Subject.Organization, s.Groups)
	case cert.NotBefore.After(now.Add(reconcile.Slack)):
		return nil, fmt.Errorf("it is not valid before %s", reconcile.TimeText(cert.NotBefore))
	case !cert.NotAfter.After(now):
		return nil, fmt.Errorf("it has expired at %s", reconcile.TimeText(cert.NotAfter))
	case cert.NotAfter.After(now.Add(s.Expiration + reconcile.Slack)):
		return nil, fmt.Errorf("it is valid until %s, longer than the %s requested",
			reconcile.TimeText(cert.NotAfter), inventory.DurationText(s.Expiration))
	}
	return cert, nil
}

// shortened says by how much less than asked a certificate lives, or "".
func shortened(s reconcile.CertificateSpec, cert *x509.Certificate, now time.Time) string {
	lives := cert.NotAfter.Sub(now)
	if s.Expiration-lives <= reconcile.Slack {
		return ""
	}
	return fmt.Sprintf("the signer shortened the certificate: it is valid for %s, not the %s requested",
		inventory.DurationText(lives.Round(time.Minute)), inventory.DurationText(s.Expiration))
}

// LeafPEM is what the ledger keeps of a chain.
func LeafPEM(leaf *x509.Certificate) string {
	return string(inventory.CertificatePEM(leaf.Raw))
}
