package reconciletest

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

	"github.com/certsync/certsync/inventory/userkey"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/pki"
)

// Authority is the CA that most tests sign with, at the time of testing.
type Authority struct {
	Cert *x509.Certificate
	Key  crypto.Signer
	Now  time.Time
}

func NewAuthority(t *testing.T, key crypto.Signer, change func(*x509.Certificate)) Authority {
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
	return Authority{cert, key, now}
}

func NewECKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Block is one PEM block of what an encoder of x509 returns.
func Block(t *testing.T, kind string) func(der []byte, err error) []byte {
	return func(der []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
}

func (a Authority) PKCS8(t *testing.T) []byte {
	return Block(t, "PRIVATE KEY")(x509.MarshalPKCS8PrivateKey(a.Key))
}

func (a Authority) Issuer(t *testing.T) *pki.CAIssuer {
	t.Helper()
	c, err := pki.NewCAIssuer([]byte(pki.LeafPEM(a.Cert)), reconcile.NewSecret(a.PKCS8(t)), func() time.Time { return a.Now })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Asks is a request for bob in devs.
func Asks(t *testing.T) (reconcile.CertificateRequest, pki.KeyPair) {
	t.Helper()
	key, err := pki.NewKeyPair(userkey.ECDSAP256)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := key.Request("bob", []string{"devs", "ops"})
	if err != nil {
		t.Fatal(err)
	}
	return reconcile.CertificateRequest{Username: "bob", CSR: csr, Expiration: 24 * time.Hour}, key
}

func NewRSA(t *testing.T) []byte {
	t.Helper()
	key, err := pki.NewKeyPair(userkey.RSA2048)
	if err != nil {
		t.Fatal(err)
	}
	return key.PEM.Reveal()
}
