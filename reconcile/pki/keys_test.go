package pki_test

import (
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

	"k8s.io/client-go/util/keyutil"

	"github.com/certsync/certsync/inventory/userkey"
	"github.com/certsync/certsync/reconcile/pki"
)

// TestKeyPairs: each algorithm gives a key as kubeadm writes it, SEC 1 or PKCS#1, and a request that is signed with it.
func TestKeyPairs(t *testing.T) {
	for _, algorithm := range []userkey.Algorithm{userkey.ECDSAP256, userkey.ECDSAP384, userkey.RSA2048, userkey.RSA3072, userkey.RSA4096} {
		t.Run(string(algorithm), func(t *testing.T) {
			key, err := pki.NewKeyPair(algorithm)
			if err != nil {
				t.Fatal(err)
			}
			block, rest := pem.Decode(key.PEM.Reveal())
			want := "EC PRIVATE KEY"
			if strings.HasPrefix(string(algorithm), "RSA") {
				want = "RSA PRIVATE KEY"
			}
			if block == nil || block.Type != want || len(rest) > 0 {
				t.Fatalf("the key is no PEM block of type %s", want)
			}
			if _, err := keyutil.ParsePrivateKeyPEM(key.PEM.Reveal()); err != nil {
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
			if userkey.AlgorithmOf(csr.PublicKey) != algorithm || csr.Subject.String() != "CN=alice,O=ops+O=devs" {
				t.Errorf("%s, subject %s", userkey.AlgorithmOf(csr.PublicKey), csr.Subject)
			}
		})
	}
	if _, err := pki.NewKeyPair("DSA"); err == nil {
		t.Error("DSA is an algorithm")
	}
}
