package userkey

import (
	"crypto/ed25519"
	"os"
	"testing"
)

func TestFingerprint(t *testing.T) {
	data, err := os.ReadFile("../testdata/requests/ecdsa.csr")
	if err != nil {
		t.Fatal(err)
	}
	r, fault := ParseRequest(data)
	if fault != "" {
		t.Fatal(fault)
	}
	// openssl req -in ecdsa.csr -pubkey -noout | openssl pkey -pubin -pubout -outform DER | sha256sum
	if got, want := Fingerprint(r.PublicKey), "bea69bac9c4cdbef0bd964a37eeba23a37660e97d8c1fc6da0627d0bb78fab6d"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := Fingerprint("no key"); got != "" {
		t.Errorf("got %s", got)
	}
	if got := AlgorithmOf(ed25519.PublicKey{}); got != "" {
		t.Errorf("got %s", got)
	}
}
