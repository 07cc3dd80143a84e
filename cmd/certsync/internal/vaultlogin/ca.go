package vaultlogin

import (
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/inventory/files"
	"github.com/certsync/certsync/reconcile"
)

// maxCertificates is the most bytes that the file of --vault-ca may hold.
const maxCertificates = 64 << 10

// ReadCA returns only the certificates of the PEM file of --vault-ca. path is "" without that flag. An error names the flag and
// repeats nothing of the file.
func ReadCA(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	data, err := files.Read(path, maxCertificates)
	if err != nil {
		return nil, fmt.Errorf("reading Vault's CA: %w (--vault-ca)", err)
	}
	var certificates []byte
	for block := range inventory.CertificateBlocks(data) {
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return nil, fmt.Errorf("reading Vault's CA from %q: %w (--vault-ca)", path, errors.New("a certificate in it cannot be read"))
		}
		certificates = append(certificates, inventory.CertificatePEM(block.Bytes)...)
	}
	if certificates == nil {
		return nil, reconcile.WithHint(fmt.Errorf("reading Vault's CA from %q: it contains no certificate (--vault-ca)", path),
			"set --vault-ca to a PEM file, as for VAULT_CACERT")
	}
	return certificates, nil
}
