package pki_test

import (
	"crypto/x509"
	"encoding/pem"
	"testing"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile/pki"
)

// TestKeyPairs: each algorithm gives a PKCS#8 key and a request that is signed with it.
func TestKeyPairs(t *testing.T) {
	for _, algorithm := range []inventory.KeyAlgorithm{inventory.ECDSAP256, inventory.ECDSAP384, inventory.RSA2048, inventory.RSA3072, inventory.RSA4096} {
		t.Run(string(algorithm), func(t *testing.T) {
			key, err := pki.NewKeyPair(algorithm)
			if err != nil {
				t.Fatal(err)
			}
			block, rest := pem.Decode(key.PEM.Reveal())
			if block == nil || block.Type != "PRIVATE KEY" || len(rest) > 0 {
				t.Fatal("the key is no PEM block of type PRIVATE KEY")
			}
			if _, err := x509.ParsePKCS8PrivateKey(block.Bytes); err != nil {
				t.Error(err)
			}
			text, err := key.Request("alice", []string{"devs", "ops"})
			if err != nil {
				t.Fatal(err)
			}
			block, _ = pem.Decode(text)
			csr, err := x509.ParseCertificateRequest(block.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			if err := csr.CheckSignature(); err != nil {
				t.Error(err)
			}
			if inventory.AlgorithmOf(csr.PublicKey) != algorithm || csr.Subject.String() != "CN=alice,O=ops+O=devs" {
				t.Errorf("%s, subject %s", inventory.AlgorithmOf(csr.PublicKey), csr.Subject)
			}
		})
	}
	if _, err := pki.NewKeyPair("DSA"); err == nil {
		t.Error("DSA is an algorithm")
	}
}
