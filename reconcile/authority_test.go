package reconcile

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/certsync/certsync/inventory"
)

// authority is the CA that most tests sign with, at the time of testing.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
	now  time.Time
}

func newAuthority(t *testing.T, key crypto.Signer, change func(*x509.Certificate)) authority {
	t.Helper()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kubernetes"},
		NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(9, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert, key, now}
}

func newECKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// block is one PEM block of what an encoder of x509 returns.
func block(t *testing.T, kind string) func(der []byte, err error) []byte {
	return func(der []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
}

func (a authority) pkcs8(t *testing.T) []byte {
	return block(t, "PRIVATE KEY")(x509.MarshalPKCS8PrivateKey(a.key))
}

func (a authority) issuer(t *testing.T) *CAIssuer {
	t.Helper()
	c, err := NewCAIssuer([]byte(leafPEM(a.cert)), NewSecret(a.pkcs8(t)), func() time.Time { return a.now })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// asks is a request for bob in devs.
func asks(t *testing.T) (CertificateRequest, keyPair) {
	t.Helper()
	key, err := newKeyPair(inventory.ECDSAP256)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := key.request("bob", []string{"devs", "ops"})
	if err != nil {
		t.Fatal(err)
	}
	return CertificateRequest{User: "bob", CSR: csr, Expiration: 24 * time.Hour}, key
}

func newRSA(t *testing.T) []byte {
	t.Helper()
	key, err := newKeyPair(inventory.RSA2048)
	if err != nil {
		t.Fatal(err)
	}
	return key.pem.Reveal()
}
