package inventory

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"iter"
)

// CertificateBlocks returns the blocks of certificates in a PEM text. Other text and other blocks are passed over. Nothing is
// parsed. A block with headers is among them; crypto/x509 and client-go ignore such a block.
func CertificateBlocks(text []byte) iter.Seq[*pem.Block] {
	return func(yield func(*pem.Block) bool) {
		for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
			if block.Type == "CERTIFICATE" && !yield(block) {
				return
			}
		}
	}
}

// CertificatePEM encodes one certificate's DER in the canonical form of PEM.
func CertificatePEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// ParseCertificateRequest reads a text that is one PEM certificate request alone. It does not check the signature.
func ParseCertificateRequest(text []byte) (*x509.CertificateRequest, error) {
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE REQUEST" || len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("it is not one PEM certificate request")
	}
	return x509.ParseCertificateRequest(block.Bytes)
}
