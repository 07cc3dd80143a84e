package pki

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/certsync/certsync/inventory/userkey"
	"github.com/certsync/certsync/reconcile"
)

// WithKey returns the credential with the key that never left its user (PEM: PKCS#8, PKCS#1 or SEC 1), in the form of
// reconcile.Credential. The kubeconfig stays as it is. It fails for a key that is not the certificate's, and for a
// credential that has one. No error repeats anything of either.
func WithKey(c reconcile.Credential, key reconcile.Secret) (reconcile.Credential, error) {
	if len(c.Key.Reveal()) > 0 {
		return reconcile.Credential{}, errors.New("the credential has a key of its own in Vault")
	}
	leaf, err := reconcile.ParseLeaf(c.Certificate)
	if err != nil {
		return reconcile.Credential{}, fmt.Errorf("reading the certificate: %w", err)
	}
	signer, err := parsePrivateKey(key)
	if err != nil {
		return reconcile.Credential{}, fmt.Errorf("reading the key: %w", err)
	}
	if !userkey.Same(leaf.PublicKey, signer.Public()) {
		return reconcile.Credential{}, reconcile.WithHint(errors.New("the key is not that of the certificate"),
			"name the key that the request was made with; after a new request was applied, the key of the new one")
	}
	if c.Key, err = encodePrivateKey(signer); err != nil {
		return reconcile.Credential{}, err
	}
	return c, nil
}

// Until is when the certificate ends; false for one that cannot be read.
func Until(c reconcile.Credential) (time.Time, bool) {
	leaf, err := reconcile.ParseLeaf(c.Certificate)
	if err != nil {
		return time.Time{}, false
	}
	return leaf.NotAfter, true
}

// Usable checks that a credential from Vault is a certificate as certsync issues them to this user, with its key if it has
// one. It returns when the certificate ends; the caller compares that with the time. It does not check which CA signed the
// certificate. The cluster's CA for clients need not be the one in the kubeconfig. The error has a hint, and repeats nothing
// of the key.
func Usable(c reconcile.Credential, user string) (until time.Time, err error) {
	leaf, err := leafOf(c, user)
	if err != nil {
		return time.Time{}, reconcile.WithHint(fmt.Errorf("reading the credential of %q: %w", user, err), reconcile.ForeignHint)
	}
	return leaf.NotAfter, nil
}

// maxPEM is far more than a chain or a key has: that of RSA with 16,384 bits takes 13 kB.
const maxPEM = 64 << 10

func leafOf(c reconcile.Credential, user string) (*x509.Certificate, error) {
	key := c.Key.Reveal()
	// Before the parsers: they take minutes for a number of a million bits.
	if len(c.Certificate) > maxPEM || len(key) > maxPEM {
		return nil, fmt.Errorf("its certificate or its key is larger than %d KiB", maxPEM>>10)
	}
	// PEM may stand between other text, which the plugin prints as well.
	if !printable(c.Certificate) || !printable(key) {
		return nil, errors.New("its certificate or its key holds control characters")
	}
	leaf, err := reconcile.ParseLeaf(c.Certificate)
	if err != nil {
		return nil, err
	}
	if person, _ := reconcile.Person(leaf.Subject.CommonName); person != user {
		return nil, fmt.Errorf("its certificate is for %.80q", leaf.Subject.CommonName)
	}
	if err := clientForm(leaf); err != nil {
		return nil, fmt.Errorf("its certificate is not as certsync issues them: %w", err)
	}
	if len(key) > 0 {
		if _, err := tls.X509KeyPair(c.Certificate, key); err != nil {
			return nil, errors.New("its key is not that of its certificate") // err may quote from it
		}
	}
	return leaf, nil
}

// clientForm checks what all certificates of certsync's have in common.
func clientForm(cert *x509.Certificate) error {
	switch {
	case len(cert.Subject.Names) != 1+len(cert.Subject.Organization):
		return fmt.Errorf("its subject %.200q holds more than CN and O", cert.Subject)
	case len(cert.DNSNames)+len(cert.EmailAddresses)+len(cert.IPAddresses)+len(cert.URIs) > 0:
		return errors.New("it has subject alternative names that nobody requested")
	case cert.IsCA:
		return errors.New("it is a certificate authority")
	case !slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageClientAuth):
		return errors.New("it is not for client authentication")
	}
	return nil
}

// printable reports whether text does nothing to a terminal but fill its lines.
func printable(text []byte) bool {
	acted := func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' && r != '\r' && r != '\t' }
	return utf8.Valid(text) && bytes.IndexFunc(text, acted) < 0
}
