package reconcile

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/certsync/certsync/inventory"
)

// TestUsable: a credential is of use to the user whose name its certificate has, with that certificate's key.
func TestUsable(t *testing.T) {
	own, err := newKeyPair(inventory.ECDSAP256)
	if err != nil {
		t.Fatal(err)
	}
	other, err := newKeyPair(inventory.ECDSAP256)
	if err != nil {
		t.Fatal(err)
	}
	end := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	leaf := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bob"}, NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, leaf, leaf, own.signer.Public(), own.signer)
	if err != nil {
		t.Fatal(err)
	}
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	tests := map[string]struct {
		credential Credential
		user       string
		want       string
	}{
		"the user's own":          {Credential{Certificate: chain, Key: own.pem}, "bob", ""},
		"without a key":           {Credential{Certificate: chain}, "bob", ""},
		"somebody else's":         {Credential{Certificate: chain, Key: own.pem}, "alice", `its certificate is for "bob"`},
		"another key":             {Credential{Certificate: chain, Key: other.pem}, "bob", "its key is not that of its certificate"},
		"a key that is none":      {Credential{Certificate: chain, Key: NewSecret([]byte("s3cret"))}, "bob", "its key is not that of its certificate"},
		"no certificate":          {Credential{Key: own.pem}, "bob", "no PEM certificate"},
		"a key for a certificate": {Credential{Certificate: own.pem.Reveal()}, "bob", "no PEM certificate"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			until, err := tt.credential.Usable(tt.user)
			if tt.want == "" {
				if err != nil || !until.Equal(end) {
					t.Errorf("until %s, want %s: %v", until.Format(time.RFC3339), end.Format(time.RFC3339), err)
				}
			} else if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%v", err)
			}
		})
	}
}
