package reconcile

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// ParseLeaf reads the first certificate of a PEM chain. The first block has to be one: inventory.CertificateBlocks would pass over a
// key that stands before it.
func ParseLeaf(chain []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(chain)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("it holds no PEM certificate")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("parsing the certificate: %w", err)
	}
	return cert, nil
}

// ParseCertificateRequest reads a text that is one PEM certificate request alone. It does not check the signature.
// Package inventory/userkey reads the requests that people write, more strictly.
func ParseCertificateRequest(text []byte) (*x509.CertificateRequest, error) {
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE REQUEST" || len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("it is not one PEM certificate request")
	}
	return x509.ParseCertificateRequest(block.Bytes)
}
