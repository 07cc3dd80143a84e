// Package userkey knows the keys that people may have in a client certificate: which kinds, how they are told apart, and the
// certificate requests with which people keep their key to themselves.
package userkey

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
)

// Algorithm is the kind and size of a key.
type Algorithm string

// The algorithms that kube-apiserver takes in a client certificate and kubectl can use.
const (
	RSA2048   Algorithm = "RSA-2048"
	RSA3072   Algorithm = "RSA-3072"
	RSA4096   Algorithm = "RSA-4096"
	ECDSAP256 Algorithm = "ECDSA-P256"
	ECDSAP384 Algorithm = "ECDSA-P384"
)

// Algorithms are all of them.
var Algorithms = []string{string(RSA2048), string(RSA3072), string(RSA4096), string(ECDSAP256), string(ECDSAP384)}

// Alternatives are the algorithms, in a message.
const Alternatives = "RSA-2048, RSA-3072, RSA-4096, ECDSA-P256 or ECDSA-P384"

// AlgorithmOf names a public key as inventories do, or is "" for one of a kind or size that they don't know.
func AlgorithmOf(pub crypto.PublicKey) Algorithm {
	switch k := pub.(type) {
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return ECDSAP256
		case elliptic.P384():
			return ECDSAP384
		}
	case *rsa.PublicKey:
		switch k.N.BitLen() {
		case 2048:
			return RSA2048
		case 3072:
			return RSA3072
		case 4096:
			return RSA4096
		}
	}
	return ""
}

// Fingerprint is the SHA-256 of a public key's SubjectPublicKeyInfo, in hex, as `openssl pkey -pubout -outform DER |
// sha256sum` gives it; "" for what is no public key. It is made of the key and not of what some file says of it, so that
// a key has one fingerprint alone.
func Fingerprint(pub crypto.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// Same reports whether two public keys are the same key. It is false for a key that cannot be compared; those
// of crypto/x509 can.
func Same(a, b crypto.PublicKey) bool {
	key, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b)
}
