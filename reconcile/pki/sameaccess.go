package pki

import (
	"bytes"
	"time"

	"github.com/certsync/certsync/inventory/userkey"
	"github.com/certsync/certsync/reconcile"
)

// SameAccess reports whether two credentials differ in keys and times alone. Both certificates are then for the same user in
// the same groups, one CA has signed them, and their keys have the same algorithm. A key that is the user's own must be the
// same one. It is false if a certificate cannot be read, or does not say which CA signed it.
func SameAccess(c, other reconcile.Credential) bool {
	one, err := reconcile.ParseLeaf(c.Certificate)
	if err != nil {
		return false
	}
	two, err := reconcile.ParseLeaf(other.Certificate)
	if err != nil || !bytes.Equal(one.RawSubject, two.RawSubject) {
		return false
	}
	// Of a CA that was made anew the name may be the same, and the key is not.
	if len(one.AuthorityKeyId) == 0 || !bytes.Equal(one.AuthorityKeyId, two.AuthorityKeyId) || !bytes.Equal(one.RawIssuer, two.RawIssuer) {
		return false
	}
	if len(c.Key.Reveal()) == 0 || len(other.Key.Reveal()) == 0 {
		return userkey.Same(one.PublicKey, two.PublicKey)
	}
	return userkey.AlgorithmOf(one.PublicKey) == userkey.AlgorithmOf(two.PublicKey)
}

// Lifetime is from the beginning of the certificate to its end; 0 for one that cannot be read.
func Lifetime(c reconcile.Credential) time.Duration {
	leaf, err := reconcile.ParseLeaf(c.Certificate)
	if err != nil {
		return 0
	}
	return leaf.NotAfter.Sub(leaf.NotBefore)
}
