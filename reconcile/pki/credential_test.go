package pki_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/pki"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestWithKey: the key of a user, in any of its encodings, becomes part of the credential in the one that Vault would hold.
func TestWithKey(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey := reconciletest.NewECKey(t)
	sec1 := reconciletest.Block(t, "EC PRIVATE KEY")(x509.MarshalECPrivateKey(ecKey))
	pkcs1 := reconciletest.Block(t, "RSA PRIVATE KEY")(x509.MarshalPKCS1PrivateKey(rsaKey), nil)
	for name, tt := range map[string]struct {
		key       crypto.Signer
		pem, want []byte
	}{
		"ECDSA, PKCS#8": {ecKey, reconciletest.Block(t, "PRIVATE KEY")(x509.MarshalPKCS8PrivateKey(ecKey)), sec1},
		"ECDSA, SEC 1":  {ecKey, sec1, sec1},
		"RSA, PKCS#8":   {rsaKey, reconciletest.Block(t, "PRIVATE KEY")(x509.MarshalPKCS8PrivateKey(rsaKey)), pkcs1},
		"RSA, PKCS#1":   {rsaKey, pkcs1, pkcs1},
		"ECDSA, as openssl ecparam -genkey writes it": {ecKey, slices.Concat(
			reconciletest.Block(t, "EC PARAMETERS")([]byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}, nil), sec1), sec1},
	} {
		t.Run(name, func(t *testing.T) {
			has := reconcile.Credential{Kubeconfig: reconcile.NewSecret([]byte("kubeconfig")), Certificate: []byte(pki.LeafPEM(reconciletest.NewAuthority(t, tt.key, nil).Cert)), CA: []byte("ca")}
			got, err := pki.WithKey(has, reconcile.NewSecret(tt.pem))
			if err != nil {
				t.Fatal(err)
			}
			revealed := func(c reconcile.Credential) []string {
				return []string{string(c.Kubeconfig.Reveal()), string(c.Certificate), string(c.Key.Reveal()), string(c.CA)}
			}
			want := has
			want.Key = reconcile.NewSecret(tt.want)
			if diff := cmp.Diff(revealed(want), revealed(got)); diff != "" {
				t.Error(diff)
			}
			if has.Key.Reveal() != nil {
				t.Error("the credential that was given has changed")
			}
		})
	}
}

// TestWithoutKey: what is not the certificate's key is refused, with advice, and nothing of it is repeated.
func TestWithoutKey(t *testing.T) {
	key := reconciletest.NewECKey(t)
	good := string(reconciletest.Block(t, "PRIVATE KEY")(x509.MarshalPKCS8PrivateKey(key)))
	chain := pki.LeafPEM(reconciletest.NewAuthority(t, key, nil).Cert)
	legacy := pem.EncodeToMemory(&pem.Block{
		Type: "RSA PRIVATE KEY", Bytes: []byte("hunter2"), Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00"},
	})
	for name, tt := range map[string]struct{ certificate, stored, key, want, hint string }{
		"somebody else's": {certificate: chain, key: string(reconciletest.Block(t, "PRIVATE KEY")(x509.MarshalPKCS8PrivateKey(reconciletest.NewECKey(t)))),
			want: "the key is not that of the certificate", hint: "name the key that the request was made with"},
		"encrypted": {certificate: chain, key: string(reconciletest.Block(t, "ENCRYPTED PRIVATE KEY")([]byte("hunter2"), nil)),
			want: "reading the key: it is encrypted", hint: "openssl pkey -in KEY -out FILE"},
		"encrypted in OpenSSL's old way": {certificate: chain, key: string(legacy), want: "reading the key: it is encrypted", hint: "openssl pkey"},
		"no key":                         {certificate: chain, key: chain, want: "reading the key: it holds no PEM private key", hint: "BEGIN PRIVATE KEY"},
		"no PEM":                         {certificate: chain, key: "hunter2", want: "it holds no PEM private key", hint: "BEGIN PRIVATE KEY"},
		"a broken one": {certificate: chain, key: string(reconciletest.Block(t, "PRIVATE KEY")([]byte("hunter2"), nil)),
			want: "it is no valid RSA, ECDSA or Ed25519 key", hint: "openssl pkey -noout -check"},
		"there is one in Vault":     {certificate: chain, stored: good, key: good, want: "the credential has a key of its own in Vault"},
		"no certificate to compare": {key: good, want: "reading the certificate: it holds no PEM certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			c := reconcile.Credential{Certificate: []byte(tt.certificate)}
			if tt.stored != "" {
				c.Key = reconcile.NewSecret([]byte(tt.stored))
			}
			got, err := pki.WithKey(c, reconcile.NewSecret([]byte(tt.key)))
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(reconcile.Hint(err), tt.hint) || got.Key.Reveal() != nil {
				t.Errorf("error %v, hint %q", err, reconcile.Hint(err))
			}
			if text := fmt.Sprint(err, reconcile.Hint(err)); strings.Contains(text, "hunter2") || strings.Contains(text, strings.Split(good, "\n")[1]) {
				t.Errorf("%s repeats the key", text)
			}
		})
	}
}
