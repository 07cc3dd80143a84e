package inventory

import (
	"encoding/pem"
	"slices"
	"strings"
	"testing"
)

// TestCertificateBlocks: text and keys between certificates are passed over.
func TestCertificateBlocks(t *testing.T) {
	text := slices.Concat([]byte("subject=CN=a\n"), CertificatePEM([]byte("one")),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("key")}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Headers: map[string]string{"a": "b"}, Bytes: []byte("two")}), []byte("the end"))
	var got []string
	for block := range CertificateBlocks(text) {
		got = append(got, string(block.Bytes))
	}
	if !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("%q", got)
	}
	for range CertificateBlocks(text) {
		break // an iterator that goes on after that panics
	}
	for block := range CertificateBlocks([]byte(strings.Repeat("-----BEGIN", 100))) {
		t.Errorf("%q", block.Bytes)
	}
}
