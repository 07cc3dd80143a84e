package harness

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// pki is a set's certificate authorities. Each trust domain has its own, as kubeadm makes them. One CA for
// clients and for the front proxy would let every user impersonate any other.
type pki struct {
	dir                              string
	cluster, etcd, frontProxy, vault *authority
	foreign                          *authority // no server trusts it
}

type authority struct {
	cert    *x509.Certificate
	key     *ecdsa.PrivateKey
	certPEM []byte
}

const validity = 7 * 24 * time.Hour

// newPKI writes all keys and certificates that the servers and their admin need into dir.
func newPKI(dir string) (*pki, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	p := &pki{dir: dir}
	authorities := []struct {
		authority **authority
		name      string
	}{
		{&p.cluster, "cluster-ca"},
		{&p.etcd, "etcd-ca"},
		{&p.frontProxy, "front-proxy-ca"},
		{&p.vault, "vault-ca"},
		{&p.foreign, "foreign-ca"},
	}
	for _, a := range authorities {
		var err error
		if *a.authority, err = p.newAuthority(a.name); err != nil {
			return nil, fmt.Errorf("creating %s: %w", a.name, err)
		}
	}
	if err := p.renew(p.cluster, "cluster-ca-renewed"); err != nil {
		return nil, fmt.Errorf("renewing the cluster's CA: %w", err)
	}
	leaves := []struct {
		by      *authority
		name    string
		subject pkix.Name
	}{
		{p.cluster, "kube-apiserver", pkix.Name{CommonName: "kube-apiserver"}},
		{p.etcd, "etcd", pkix.Name{CommonName: "etcd"}},
		{p.etcd, "etcd-client", pkix.Name{CommonName: "kube-apiserver"}},
		{p.frontProxy, "front-proxy-client", pkix.Name{CommonName: "front-proxy-client"}},
		{p.vault, "vault", pkix.Name{CommonName: "vault"}},
	}
	for _, leaf := range leaves {
		certPEM, keyPEM, err := leaf.by.issue(leaf.subject)
		if err == nil {
			err = p.write(leaf.name, certPEM, keyPEM)
		}
		if err != nil {
			return nil, fmt.Errorf("issuing the certificate of %s: %w", leaf.name, err)
		}
	}
	return p, p.writeServiceAccountKey()
}

func (p *pki) newAuthority(name string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := newTemplate(pkix.Name{CommonName: name})
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	keyPEM, err := privatePEM(key)
	if err != nil {
		return nil, err
	}
	a := &authority{cert: cert, key: key, certPEM: encode("CERTIFICATE", der)}
	return a, p.write(name, a.certPEM, keyPEM)
}

// renew writes another certificate of the same CA, with the same key.
func (p *pki) renew(a *authority, name string) error {
	template := *a.cert
	template.SerialNumber = newTemplate(pkix.Name{}).SerialNumber
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, a.key.Public(), a.key)
	if err != nil {
		return err
	}
	keyPEM, err := privatePEM(a.key)
	if err != nil {
		return err
	}
	return p.write(name, encode("CERTIFICATE", der), keyPEM)
}

// issue makes a certificate that serves as client and, on loopback, as server.
func (a *authority) issue(subject pkix.Name) (certPEM, keyPEM []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := newTemplate(subject)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	template.DNSNames = []string{"localhost", "kubernetes.default.svc"}
	template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, nil, err
	}
	keyPEM, err = privatePEM(key)
	return encode("CERTIFICATE", der), keyPEM, err
}

func newTemplate(subject pkix.Name) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)) // never fails since Go 1.24
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      subject,
		NotBefore:    now.Add(-5 * time.Minute),
		NotAfter:     now.Add(validity),
	}
}

// writeServiceAccountKey writes the pair that service account tokens are signed and checked with.
func (p *pki) writeServiceAccountKey() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	private, err := privatePEM(key)
	if err != nil {
		return err
	}
	if err := os.WriteFile(p.path("service-account.pub"), encode("PUBLIC KEY", public), 0o600); err != nil {
		return err
	}
	return os.WriteFile(p.path("service-account.key"), private, 0o600)
}

// privatePEM is in SEC 1 form: the only one that kube-apiserver reads of an ECDSA key for service accounts.
func privatePEM(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	return encode("EC PRIVATE KEY", der), err
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func (p *pki) write(name string, certPEM, keyPEM []byte) error {
	if err := os.WriteFile(p.path(name+".crt"), certPEM, 0o600); err != nil {
		return err
	}
	return os.WriteFile(p.path(name+".key"), keyPEM, 0o600)
}

func (p *pki) path(name string) string { return filepath.Join(p.dir, name) }
