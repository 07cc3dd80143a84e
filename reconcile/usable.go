package reconcile

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
)

// Usable checks that a credential from Vault is a certificate as certsync issues them to this user, with its key if it has
// one. It returns when the certificate ends; the caller compares that with the time. It does not check which CA signed the
// certificate. The cluster's CA for clients need not be the one in the kubeconfig. The error has a hint, and repeats nothing
// of the key.
func (c Credential) Usable(user string) (until time.Time, err error) {
	leaf, err := c.leafOf(user)
	if err != nil {
		return time.Time{}, WithHint(fmt.Errorf("reading the credential of %q: %w", user, err), ForeignHint)
	}
	return leaf.NotAfter, nil
}

// maxPEM is far more than a chain or a key has: that of RSA with 16,384 bits takes 13 kB.
const maxPEM = 64 << 10

func (c Credential) leafOf(user string) (*x509.Certificate, error) {
	key := c.Key.Reveal()
	// Before the parsers: they take minutes for a number of a million bits.
	if len(c.Certificate) > maxPEM || len(key) > maxPEM {
		return nil, fmt.Errorf("its certificate or its key is larger than %d KiB", maxPEM>>10)
	}
	// PEM may stand between other text, which the plugin prints as well.
	if !printable(c.Certificate) || !printable(key) {
		return nil, errors.New("its certificate or its key holds control characters")
	}
	leaf, err := parseLeaf(c.Certificate)
	if err != nil {
		return nil, err
	}
	if leaf.Subject.CommonName != user {
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
		return errors.New("it has subject alternative names that nobody asked for")
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
