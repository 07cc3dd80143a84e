package pki_test

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/certsync/certsync/inventory/userkey"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/pki"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestUsable: a credential is of use to the user whose name its certificate has, with that certificate's key, if it is as
// certsync issues them and does nothing to a terminal.
func TestUsable(t *testing.T) {
	own, err := pki.NewKeyPair(userkey.ECDSAP256)
	if err != nil {
		t.Fatal(err)
	}
	other, err := pki.NewKeyPair(userkey.ECDSAP256)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(own.PEM.Reveal())
	signer, err := x509.ParseECPrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	earlier := reconcile.NewSecret(reconciletest.Block(t, "PRIVATE KEY")(x509.MarshalPKCS8PrivateKey(signer)))
	end := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	issue := func(change func(*x509.Certificate)) []byte {
		leaf := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bob"}, NotAfter: end, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
		if change != nil {
			change(leaf)
		}
		der, err := x509.CreateCertificate(rand.Reader, leaf, leaf, own.Public, signer)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	chain := issue(nil)
	with := func(change func(*x509.Certificate)) reconcile.Credential {
		return reconcile.Credential{Certificate: issue(change), Key: own.PEM}
	}
	around := func(text string) []byte { return []byte(text + string(chain)) }
	tests := map[string]struct {
		credential reconcile.Credential
		user       string
		want       string
	}{
		"the user's own":          {reconcile.Credential{Certificate: chain, Key: own.PEM}, "bob", ""},
		"from an earlier version": {reconcile.Credential{Certificate: chain, Key: earlier}, "bob", ""},
		"without a key":           {reconcile.Credential{Certificate: chain}, "bob", ""},
		"somebody else's":         {reconcile.Credential{Certificate: chain, Key: own.PEM}, "alice", `its certificate is for "bob"`},
		"another key":             {reconcile.Credential{Certificate: chain, Key: other.PEM}, "bob", "its key is not that of its certificate"},
		"a key that is none":      {reconcile.Credential{Certificate: chain, Key: reconcile.NewSecret([]byte("s3cret"))}, "bob", "its key is not that of its certificate"},
		"no certificate":          {reconcile.Credential{Key: own.PEM}, "bob", "no PEM certificate"},
		"a key for a certificate": {reconcile.Credential{Certificate: own.PEM.Reveal()}, "bob", "no PEM certificate"},
		"text before it":          {reconcile.Credential{Certificate: around("Subject: bob\r\n\tof Kölln\n"), Key: own.PEM}, "bob", ""},
		"an escape sequence":      {reconcile.Credential{Certificate: around("\x1b[2J\n"), Key: own.PEM}, "bob", "holds control characters"},
		"one of C1":               {reconcile.Credential{Certificate: around("\u009b2J\n"), Key: own.PEM}, "bob", "holds control characters"},
		"another encoding":        {reconcile.Credential{Certificate: around("\x9b2J\n"), Key: own.PEM}, "bob", "holds control characters"},
		"one with the key": {reconcile.Credential{Certificate: chain, Key: reconcile.NewSecret(append([]byte("\x1b[2J\n"), own.PEM.Reveal()...))}, "bob",
			"holds control characters"},
		"a chain too large": {reconcile.Credential{Certificate: around(strings.Repeat("s3cret\n", 10_000)), Key: own.PEM}, "bob", "is larger than 64 KiB"},
		"a key too large":   {reconcile.Credential{Certificate: chain, Key: reconcile.NewSecret(bytes.Repeat([]byte("s3cret\n"), 10_000))}, "bob", "is larger than 64 KiB"},
		"a name for a terminal": {with(func(c *x509.Certificate) { c.Subject.CommonName = "\x1b[2J" + strings.Repeat("x", 1000) }), "bob",
			`its certificate is for "\x1b[2J` + strings.Repeat("x", 76) + `"`},
		"for servers":          {with(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), "bob", "not for client authentication"},
		"for anything":         {with(func(c *x509.Certificate) { c.ExtKeyUsage = nil }), "bob", "not for client authentication"},
		"with another name":    {with(func(c *x509.Certificate) { c.DNSNames = []string{"s3cret"} }), "bob", "subject alternative names"},
		"with a unit":          {with(func(c *x509.Certificate) { c.Subject.OrganizationalUnit = []string{"x"} }), "bob", "holds more than CN and O"},
		"a CA's":               {with(func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }), "bob", "it is a certificate authority"},
		"with groups":          {with(func(c *x509.Certificate) { c.Subject.Organization = []string{"a", "b"} }), "bob", ""},
		"that begins tomorrow": {with(func(c *x509.Certificate) { c.NotBefore = end.Add(-time.Hour) }), "bob", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			until, err := pki.Usable(tt.credential, tt.user)
			if tt.want == "" {
				if err != nil || !until.Equal(end) {
					t.Errorf("until %s, want %s: %v", until.Format(time.RFC3339), end.Format(time.RFC3339), err)
				}
			} else if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "s3cret") || reconcile.Hint(err) == "" {
				t.Errorf("error %v, hint %q", err, reconcile.Hint(err))
			}
		})
	}
}
