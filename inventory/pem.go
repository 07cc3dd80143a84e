package inventory

import (
	"encoding/pem"
	"iter"
)

// CertificateBlocks returns the certificates in a PEM text, each as DER. Other text and other blocks are passed over, and so
// are blocks with headers: crypto/x509 and client-go ignore them too. Nothing is parsed.
func CertificateBlocks(text []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
			if block.Type == "CERTIFICATE" && len(block.Headers) == 0 && !yield(block.Bytes) {
				return
			}
		}
	}
}

// CertificatePEM encodes one certificate's DER in the canonical form of PEM.
func CertificatePEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
