package reconcile

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"time"

	"github.com/certsync/certsync/inventory"
)

// certificateSpec is the certificate that a user should have.
type certificateSpec struct {
	user       string
	groups     []string // sorted, distinct
	expiration time.Duration
	algorithm  inventory.KeyAlgorithm
	own        *ownKey // nil: certsync makes the key
	kubeconfig KubeconfigRef
}

// slack is how far signers move a certificate's times: notBefore 5 minutes back, notAfter 5 minutes early for
// lifetimes of 8 hours and more, and clocks that differ by a little.
const slack = 10 * time.Minute

// ownKey is a user's key of which certsync has the public half alone, with the request that its holder made for it. A key
// of certsync's own dies with the process that made it; this one does not: whatever certificate was asked for may be used
// one day, so the ledger has to know of it before it can exist.
type ownKey struct {
	request     []byte           // PKCS#10, PEM
	public      crypto.PublicKey // nil: the request cannot be read
	fingerprint string           // see inventory.Fingerprint
}

// ownKeyOf is nil for somebody whose key certsync makes.
func ownKeyOf(u inventory.User) *ownKey {
	if u.Request == nil {
		return nil
	}
	k := &ownKey{request: u.Request}
	if block, _ := pem.Decode(u.Request); block != nil {
		if csr, err := x509.ParseCertificateRequest(block.Bytes); err == nil {
			k.public, k.fingerprint = csr.PublicKey, inventory.Fingerprint(csr.PublicKey)
		}
	}
	return k
}

// print is the key's fingerprint, "" for a key of certsync's.
func (k *ownKey) print() string {
	if k == nil {
		return ""
	}
	return k.fingerprint
}
