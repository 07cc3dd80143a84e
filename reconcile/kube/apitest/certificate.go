package apitest

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

// PEM encodes a block without headers.
func PEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// Must returns v, and panics if there is an error.
func Must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

var caKey = Must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))

// CACert is the CA of NewUser.
var CACert = Must(x509.ParseCertificate(certificate("test CA", caKey, nil)))

// CA is CACert in PEM.
var CA = PEM("CERTIFICATE", CACert.Raw)

// certificate returns the DER of a user's certificate for key, or without an issuer the CA's own.
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
	return Must(x509.CreateCertificate(rand.Reader, c, issuer, &key.PublicKey, caKey))
}

// NewUser returns the chain and the key of a user's new certificate.
func NewUser(name string) (chain, key []byte) {
	k := Must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	return PEM("CERTIFICATE", certificate(name, k, CACert)), PEM("PRIVATE KEY", Must(x509.MarshalPKCS8PrivateKey(k)))
}

// NewRequest returns a PKCS#10 request in PEM.
func NewRequest(name string) []byte {
	k := Must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	return PEM("CERTIFICATE REQUEST", Must(x509.CreateCertificateRequest(rand.Reader,
		&x509.CertificateRequest{Subject: pkix.Name{CommonName: name}}, k)))
}
