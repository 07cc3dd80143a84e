package pki

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/inventory/userkey"
	"github.com/certsync/certsync/reconcile"
)

var _ reconcile.Issuer = (*CAIssuer)(nil)

// backdated is how far back a certificate's validity begins, for clocks that are behind: as far as Kubernetes' own
// signer sets it.
const backdated = 5 * time.Minute

// CAIssuer signs certificates with the key of a CA that the API server trusts for clients. It is for clusters without a
// signer for client certificates, and asks the cluster for nothing.
type CAIssuer struct {
	// sign closes over the key: fmt would print one that stands in a field.
	sign func(template *x509.Certificate, pub crypto.PublicKey) ([]byte, error)
	now  func() time.Time

	Certificate         []byte // the CA's, PEM
	authorityKeyID      []byte
	notBefore, notAfter time.Time // of the CA
}

// NewCAIssuer returns an issuer that signs with key (PEM: PKCS#8, PKCS#1 or SEC 1) in the name of the one certificate in
// certPEM. It fails for a certificate that is no valid CA's, and for a key that is another's. No error repeats anything
// of what it was given.
func NewCAIssuer(certPEM []byte, key reconcile.Secret, now func() time.Time) (*CAIssuer, error) {
	ca, err := parseCA(certPEM)
	if err != nil {
		return nil, fmt.Errorf("reading the CA's certificate: %w", err)
	}
	signer, err := parsePrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("reading the CA's key: %w", err)
	}
	if !userkey.Same(ca.PublicKey, signer.Public()) {
		return nil, reconcile.WithHint(errors.New("the CA's key is not that of its certificate"),
			"name the two files of one CA; kubeadm's are ca.crt and ca.key in /etc/kubernetes/pki")
	}
	c := &CAIssuer{
		sign: func(template *x509.Certificate, pub crypto.PublicKey) ([]byte, error) {
			return x509.CreateCertificate(rand.Reader, template, ca, pub, signer)
		},
		now: now, Certificate: []byte(LeafPEM(ca)), authorityKeyID: ca.SubjectKeyId, notBefore: ca.NotBefore, notAfter: ca.NotAfter,
	}
	return c, c.valid()
}

// parseCA reads a certificate that may sign others.
func parseCA(data []byte) (*x509.Certificate, error) {
	var found []*x509.Certificate
	for block := range inventory.CertificateBlocks(data) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			// err may quote from it.
			return nil, reconcile.WithHint(errors.New("it is no valid certificate"), "`openssl x509 -noout -text -in FILE` shows what it is")
		}
		found = append(found, cert)
	}
	switch {
	case len(found) == 0:
		return nil, reconcile.WithHint(errors.New("it holds no PEM certificate"), "begin it with -----BEGIN CERTIFICATE-----")
	case len(found) > 1:
		return nil, reconcile.WithHint(fmt.Errorf("it holds %d certificates", len(found)), "put the certificate that signs into a file of its own")
	}
	cert := found[0]
	// Without the extension, a key may be used for anything.
	if !cert.BasicConstraintsValid || !cert.IsCA || cert.KeyUsage != 0 && cert.KeyUsage&x509.KeyUsageCertSign == 0 {
		return nil, reconcile.WithHint(errors.New("it is not a CA certificate: it may not sign certificates"),
			"name the CA that the API server trusts for clients (its --client-ca-file)")
	}
	return cert, nil
}

// valid says whether the CA is, now.
func (c *CAIssuer) valid() error {
	const hint = "name the CA that replaces this one, or set this machine's clock: no server trusts its certificates now"
	switch now := c.now(); {
	case now.Before(c.notBefore):
		return reconcile.WithHint(fmt.Errorf("the CA's certificate is not valid before %s", reconcile.TimeText(c.notBefore)), hint)
	case !now.Before(c.notAfter):
		return reconcile.WithHint(fmt.Errorf("the CA's certificate has expired at %s", reconcile.TimeText(c.notAfter)), hint)
	}
	return nil
}

// Permissions implements Issuer: signing asks the cluster for nothing.
func (c *CAIssuer) Permissions() []reconcile.Permission { return nil }

// Issue signs at once. The certificate ends with the CA's own, if that comes earlier than asked for.
func (c *CAIssuer) Issue(ctx context.Context, req reconcile.CertificateRequest) (reconcile.Issued, error) {
	if ctx.Err() != nil {
		return reconcile.Issued{}, fmt.Errorf("signing the certificate: %w", context.Cause(ctx))
	}
	if err := c.valid(); err != nil {
		return reconcile.Issued{}, err
	}
	csr, err := parseRequest(req)
	if err != nil {
		return reconcile.Issued{}, fmt.Errorf("reading the certificate request: %w", err)
	}
	serial, err := newSerial()
	if err != nil {
		return reconcile.Issued{}, fmt.Errorf("choosing a serial number: %w", err)
	}
	if err := req.NoteCreated(ctx, reconcile.CSRRef{}); err != nil {
		return reconcile.Issued{}, err
	}
	now := c.now()
	notAfter := now.Add(req.Expiration)
	if notAfter.After(c.notAfter) {
		notAfter = c.notAfter
	}
	der, err := c.sign(&x509.Certificate{
		SerialNumber: serial,
		// Only what names the user is taken over, not the rest of what a request can ask for.
		Subject:   pkix.Name{CommonName: csr.Subject.CommonName, Organization: csr.Subject.Organization},
		NotBefore: now.Add(-backdated), NotAfter: notAfter,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
		AuthorityKeyId:        c.authorityKeyID,
	}, csr.PublicKey)
	if err != nil {
		return reconcile.Issued{}, fmt.Errorf("signing the certificate: %w", err)
	}
	return reconcile.Issued{Chain: inventory.CertificatePEM(der)}, nil
}

// parseRequest reads the PKCS#10 and checks that it is signed with its own key, and asks for the user's name and groups alone.
func parseRequest(r reconcile.CertificateRequest) (*x509.CertificateRequest, error) {
	csr, err := reconcile.ParseCertificateRequest(r.CSR)
	if err != nil {
		return nil, err
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, fmt.Errorf("checking its signature: %w", err)
	}
	switch {
	case csr.Subject.CommonName != r.Username:
		return nil, fmt.Errorf("it is for %q, not for %q", csr.Subject.CommonName, r.Username)
	case len(csr.Subject.Names) != 1+len(csr.Subject.Organization):
		return nil, fmt.Errorf("its subject %q holds more than CN and O", csr.Subject)
	}
	return csr, nil
}

// newSerial returns a random number of 128 bits, never 0: serial numbers are positive.
func newSerial() (*big.Int, error) {
	for {
		n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 128))
		if err != nil || n.Sign() > 0 {
			return n, err
		}
	}
}
