package reconcile

import (
	"crypto"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/inventory/userkey"
)

// CertificateSpec is the certificate that a user should have.
type CertificateSpec struct {
	User       string
	Epoch      int64
	Groups     []string // sorted, distinct
	Expiration time.Duration
	Algorithm  userkey.Algorithm
	Own        *OwnKey // nil: certsync makes the key
	Kubeconfig KubeconfigRef
}

// Username is the certificate's CN.
func (s CertificateSpec) Username() string { return Username(s.User, s.Epoch) }

// Slack is how far signers move a certificate's times: notBefore 5 minutes back, notAfter 5 minutes early for
// lifetimes of 8 hours and more, and clocks that differ by a little.
const Slack = 10 * time.Minute

// OwnKey is a user's key of which certsync has the public half alone, with the request that its holder made for it. A key
// of certsync's own dies with the process that made it; this one does not: whatever certificate was asked for may be used
// one day, so the ledger has to know of it before it can exist.
type OwnKey struct {
	Request []byte           // PKCS#10, PEM
	Public  crypto.PublicKey // nil: the request cannot be read
	SHA256  string           // see userkey.Fingerprint
	// Username is the CN that the request is for.
	Username string
}

// OwnKeyOf is nil for somebody whose key certsync makes.
func OwnKeyOf(u inventory.User) *OwnKey {
	if u.Request == nil {
		return nil
	}
	k := &OwnKey{Request: u.Request}
	if csr, err := ParseCertificateRequest(u.Request); err == nil {
		k.Public, k.SHA256, k.Username = csr.PublicKey, userkey.Fingerprint(csr.PublicKey), csr.Subject.CommonName
	}
	return k
}

// Fingerprint is the key's fingerprint, "" for a key of certsync's.
func (k *OwnKey) Fingerprint() string {
	if k == nil {
		return ""
	}
	return k.SHA256
}
