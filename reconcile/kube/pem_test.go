package kube

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"time"
)

func pemBlock(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// testCA signs the certificates of the tests' users.
var testCAKey = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))

var testCACert = must(x509.ParseCertificate(certificate("test CA", testCAKey, nil)))

var testCA = pemBlock("CERTIFICATE", testCACert.Raw)

// certificate returns the DER of a certificate for key: a user's, or the CA's own when there is none yet.
func certificate(name string, key *ecdsa.PrivateKey, issuer *x509.Certificate) []byte {
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: name, Organization: []string{"developers"}},
		NotBefore:    time.Now().Add(-time.Minute),
		NotAfter:     time.Now().Add(time.Hour),
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if issuer == nil {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
		issuer = c
	}
	return must(x509.CreateCertificate(rand.Reader, c, issuer, &key.PublicKey, testCAKey))
}

// newUser returns the chain and the key of a user's new certificate.
func newUser(name string) (chain, key []byte) {
	k := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	return pemBlock("CERTIFICATE", certificate(name, k, testCACert)), pemBlock("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(k)))
}

// newRequest returns a PKCS#10 request in PEM.
func newRequest(name string) []byte {
	k := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	return pemBlock("CERTIFICATE REQUEST", must(x509.CreateCertificateRequest(rand.Reader,
		&x509.CertificateRequest{Subject: pkix.Name{CommonName: name}}, k)))
}
