package pki

import (
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"github.com/certsync/certsync/reconcile"
)

// CanaryWait is how long the signer may take for the first certificate of a run, and for one that preflight tries.
const CanaryWait = 30 * time.Second

// Signing has certificates issued and checks them: the part of a run that preflight tries too. It stores nothing.
type Signing struct {
	Issuer reconcile.Issuer
	Login  reconcile.Authenticator
	Now    func() time.Time
}

// Prove logs in with a new certificate. It runs before anything is stored: on a cluster whose API server does not trust
// its own signer for clients, all that apply could do is fill Vault with credentials that nobody can use.
func (s Signing) Prove(ctx context.Context, spec reconcile.CertificateSpec, chain []byte, key reconcile.Secret) error {
	id, err := s.Login.Authenticate(ctx, chain, key)
	if err != nil {
		return err
	}
	if id.Name != spec.Username() {
		return fmt.Errorf("%w: the API server identifies its holder as %q", reconcile.ErrNotTrusted, id.Name)
	}
	for _, g := range spec.Groups {
		if id.Groups != nil && !slices.Contains(id.Groups, g) {
			return fmt.Errorf("%w: the API server does not see group %q in it", reconcile.ErrNotTrusted, g)
		}
	}
	return nil
}

// Proof tries a new certificate before anything is stored, as Signing.Prove does.
type Proof func(ctx context.Context, spec reconcile.CertificateSpec, chain []byte, key reconcile.Secret) error

// Request makes a key, unless the user has one, and has a certificate issued for it.
func (s Signing) Request(ctx context.Context, spec reconcile.CertificateSpec, within time.Duration, created func(context.Context, reconcile.CSRRef) error) (reconcile.Issued, KeyPair, error) {
	key, csr, err := newKey(spec)
	if err != nil {
		return reconcile.Issued{}, KeyPair{}, err
	}
	issued, err := s.Issuer.Issue(ctx, reconcile.CertificateRequest{
		Username: spec.Username(), CSR: csr, Expiration: spec.Expiration, Within: within, Created: created,
	})
	if err != nil {
		return reconcile.Issued{}, KeyPair{}, fmt.Errorf("issuing a certificate: %w", err)
	}
	return issued, key, nil
}

// Accept returns the certificate if it is what was asked for and stands the proof (nil: none), with a note if the signer
// made it shorter.
func (s Signing) Accept(ctx context.Context, spec reconcile.CertificateSpec, issued reconcile.Issued, key KeyPair, prove Proof) (*x509.Certificate, string, error) {
	now := s.Now()
	leaf, err := check(spec, issued.Chain, key.Public, now)
	if err != nil {
		return nil, "", fmt.Errorf("verifying %s: %w", issued.Name(), err)
	}
	if prove != nil {
		if err := prove(ctx, spec, issued.Chain, key.PEM); err != nil {
			return nil, "", err
		}
	}
	return leaf, shortened(spec, leaf, now), nil
}
