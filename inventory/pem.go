package inventory

import (
	"encoding/pem"
	"iter"
)

// client-go's util/cert and util/keyutil also read PEM. inventory, reconcile and reconcile/pki do not use them, since these
// packages import nothing of Kubernetes.

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
