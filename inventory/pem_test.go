package inventory

import (
	"bytes"
	"encoding/pem"
	"slices"
	"testing"
)

// TestCertificateBlocks: text, keys and blocks with headers between certificates are passed over.
func TestCertificateBlocks(t *testing.T) {
	one, two := CertificatePEM([]byte("one")), CertificatePEM([]byte("two"))
	text := slices.Concat([]byte("subject=CN=a\n"), one,
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("key")}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Headers: map[string]string{"a": "b"}, Bytes: []byte("three")}),
		two, []byte("the end"))
	got := slices.Collect(CertificateBlocks(text))
	if len(got) != 2 || string(got[0]) != "one" || string(got[1]) != "two" {
		t.Errorf("%q", got)
	}
	for range CertificateBlocks(text) {
		break // an iterator that goes on after that panics
	}
	if got := slices.Collect(CertificateBlocks(bytes.Repeat([]byte("-----BEGIN"), 100))); got != nil {
		t.Errorf("%q", got)
	}
}
