package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/certsync/certsync/inventory/userkey"
	"github.com/certsync/certsync/reconcile"
)

// NewKeyPair makes a key. RSA-4096 takes about a second of one core, ECDSA-P256 microseconds.
func NewKeyPair(algorithm userkey.Algorithm) (KeyPair, error) {
	signer, err := generate(algorithm)
	if err != nil {
		return KeyPair{}, fmt.Errorf("generating a key: %w", err)
	}
	text, err := encodePrivateKey(signer)
	if err != nil {
		return KeyPair{}, err
	}
	return KeyPair{signer.Public(), signer, text}, nil
}

// encodePrivateKey returns a key as PEM in the form that kubeadm writes: SEC 1 for ECDSA, PKCS#1 for RSA. Java clients
// (fabric8, and so Jenkins) take every PKCS#8 key for RSA, and fail with an ECDSA one.
func encodePrivateKey(signer crypto.Signer) (reconcile.Secret, error) {
	block := &pem.Block{}
	var err error
	switch key := signer.(type) {
	case *ecdsa.PrivateKey:
		block.Type = "EC PRIVATE KEY"
		block.Bytes, err = x509.MarshalECPrivateKey(key)
	case *rsa.PrivateKey:
		block.Type = "RSA PRIVATE KEY"
		block.Bytes = x509.MarshalPKCS1PrivateKey(key)
	default: // Ed25519, which has no other form
		block.Type = "PRIVATE KEY"
		block.Bytes, err = x509.MarshalPKCS8PrivateKey(key)
	}
	if err != nil {
		return reconcile.Secret{}, fmt.Errorf("encoding the key: %w", err)
	}
	return reconcile.NewSecret(pem.EncodeToMemory(block)), nil
}

func generate(algorithm userkey.Algorithm) (crypto.Signer, error) {
	switch algorithm {
	case userkey.ECDSAP256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case userkey.ECDSAP384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case userkey.RSA2048:
		return rsa.GenerateKey(rand.Reader, 2048)
	case userkey.RSA3072:
		return rsa.GenerateKey(rand.Reader, 3072)
	case userkey.RSA4096:
		return rsa.GenerateKey(rand.Reader, 4096)
	}
	return nil, fmt.Errorf("key algorithm %q is unknown", algorithm)
}

// newKey makes a key and a request for it, or takes those of the user.
func newKey(s reconcile.CertificateSpec) (KeyPair, []byte, error) {
	switch {
	case s.Own == nil:
	case s.Own.Public == nil:
		return KeyPair{}, nil, fmt.Errorf("reading the request of %q: it is no PKCS#10 in PEM", s.User)
	default:
		return KeyPair{Public: s.Own.Public}, s.Own.Request, nil
	}
	key, err := NewKeyPair(s.Algorithm)
	if err != nil {
		return KeyPair{}, nil, err
	}
	csr, err := key.Request(s.Username(), s.Groups)
	return key, csr, err
}

// Request makes the PKCS#10 request for a user and their groups, as PEM.
func (k KeyPair) Request(user string, groups []string) ([]byte, error) {
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: user, Organization: groups},
	}, k.signer)
	if err != nil {
		return nil, fmt.Errorf("making the certificate request: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), nil
}

// parsePrivateKey reads the first private key in a PEM file. It skips other blocks, such as OpenSSL's "EC PARAMETERS".
func parsePrivateKey(key reconcile.Secret) (crypto.Signer, error) {
	for block, rest := pem.Decode(key.Reveal()); block != nil; block, rest = pem.Decode(rest) {
		parsed, err := any(nil), error(nil)
		switch block.Type {
		case "PRIVATE KEY":
			parsed, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			parsed, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			parsed, err = x509.ParseECPrivateKey(block.Bytes)
		case "ENCRYPTED PRIVATE KEY":
		default:
			continue
		}
		if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" {
			return nil, reconcile.WithHint(errors.New("it is encrypted"), "decrypt it into a file that nobody else can read: `openssl pkey -in KEY -out FILE`")
		}
		signer, ok := parsed.(crypto.Signer)
		if err != nil || !ok {
			// err may quote from it.
			return nil, reconcile.WithHint(errors.New("it is no valid RSA, ECDSA or Ed25519 key"), "`openssl pkey -noout -check -in FILE` shows what is wrong")
		}
		return signer, nil
	}
	return nil, reconcile.WithHint(errors.New("it holds no PEM private key"), "begin it with -----BEGIN PRIVATE KEY-----")
}

// KeyPair is a user's new key on its way to Vault, or of a key that is the user's own its public half alone.
type KeyPair struct {
	Public crypto.PublicKey
	signer crypto.Signer    // nil: certsync does not have it
	PEM    reconcile.Secret // SEC 1 for ECDSA, PKCS#1 for RSA
}
