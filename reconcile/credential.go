package reconcile

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// Credential is what stands at users/<user>: the fields kubeconfig, tls.crt, tls.key (PKCS#8) and ca.crt. Without Key,
// the key has never left its user, and the kubeconfig holds none either.
type Credential struct {
	Kubeconfig  Secret
	Certificate []byte // PEM chain
	Key         Secret // PEM, PKCS#8
	CA          []byte // PEM
}

// WithKey returns the credential with the key that never left its user (PEM: PKCS#8, PKCS#1 or SEC 1), as PKCS#8. The
// kubeconfig stays as it is. It fails for a key that is not the certificate's, and for a credential that has one. No error
// repeats anything of either.
func (c Credential) WithKey(key Secret) (Credential, error) {
	if len(c.Key.Reveal()) > 0 {
		return Credential{}, errors.New("the credential has a key of its own in Vault")
	}
	leaf, err := parseLeaf(c.Certificate)
	if err != nil {
		return Credential{}, fmt.Errorf("reading the certificate: %w", err)
	}
	signer, err := parsePrivateKey(key)
	if err != nil {
		return Credential{}, fmt.Errorf("reading the key: %w", err)
	}
	if pub, ok := leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !pub.Equal(signer.Public()) {
		return Credential{}, WithHint(errors.New("the key is not that of the certificate"),
			"name the key that the request was made with; after a new request was applied, the key of the new one")
	}
	der, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		return Credential{}, fmt.Errorf("encoding the key: %w", err)
	}
	c.Key = NewSecret(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	return c, nil
}

// Until is when the certificate ends; false for one that cannot be read.
func (c Credential) Until() (time.Time, bool) {
	leaf, err := parseLeaf(c.Certificate)
	if err != nil {
		return time.Time{}, false
	}
	return leaf.NotAfter, true
}
