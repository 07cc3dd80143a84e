package csr

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/api"
)

// namePrefix returns the beginning of the names of an owner's requests. An owner holds no dot, so the prefix of one owner is
// never that of another.
func namePrefix(owner string) string { return "certsync-" + owner + "." }

// randomName returns a new name for a request of an owner: its prefix and 130 random bits, so that nobody can create a
// request under it first. EKS ignores names that begin with "csr-".
func randomName(owner string) string { return namePrefix(owner) + strings.ToLower(rand.Text()) }

// newCSR returns the object to create for req. It has no labels and no generateName: the API server keeps a record of who manages
// such fields, and computes it again at the approval and at the signer's write.
func newCSR(name string, req reconcile.CertificateRequest) (*certificatesv1.CertificateSigningRequest, error) {
	if req.Expiration <= 0 || req.Expiration > math.MaxInt32*time.Second {
		return nil, fmt.Errorf("creating a CertificateSigningRequest: %s is not a valid lifetime for a certificate", inventory.DurationText(req.Expiration))
	}
	seconds := int32(req.Expiration / time.Second)
	return &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request:           req.CSR,
			SignerName:        certificatesv1.KubeAPIServerClientSignerName,
			ExpirationSeconds: &seconds,
			// The signer allows only key encipherment in addition, which ECDSA keys cannot do.
			Usages: []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageClientAuth},
		},
	}, nil
}

// sameRequest returns an error if the object that the API server made differs from want, or has another requester. certsync
// must not approve such a request: it never made it.
func sameRequest(want, got *certificatesv1.CertificateSigningRequest, self string) error {
	var wrong []string
	differs := func(what string, yes bool) {
		if yes {
			wrong = append(wrong, what)
		}
	}
	differs("uid", got.UID == "")
	differs("name", got.Name != want.Name)
	differs("spec.request", !bytes.Equal(got.Spec.Request, want.Spec.Request))
	differs("spec.signerName", got.Spec.SignerName != want.Spec.SignerName)
	differs("spec.usages", !slices.Equal(got.Spec.Usages, want.Spec.Usages))
	differs("spec.expirationSeconds", got.Spec.ExpirationSeconds == nil ||
		*got.Spec.ExpirationSeconds != *want.Spec.ExpirationSeconds)
	differs("spec.username", self == "" || got.Spec.Username != self)
	differs("status", len(got.Status.Conditions) > 0 || len(got.Status.Certificate) > 0)
	if wrong == nil {
		return nil
	}
	return fmt.Errorf("not approved, because it is not what certsync sent: %s differs", strings.Join(wrong, ", "))
}

// decided marks the error for a request that the cluster has decided on: it is denied, failed or deleted.
type decided struct{ error }

func (d decided) Unwrap() error { return d.error }

// errDeleted returns the error for a request that somebody deleted, or that the cluster deleted after a day.
func errDeleted(name string) error {
	return decided{fmt.Errorf("CertificateSigningRequest %s was deleted while certsync waited for it", name)}
}

// outcome is the end of a request: a certificate chain or an error.
type outcome struct {
	chain []byte
	err   error
}

// outcomeOf returns a request's outcome, or nil while the request waits for an approval or for the signer.
func outcomeOf(csr *certificatesv1.CertificateSigningRequest) *outcome {
	if len(csr.Status.Certificate) > 0 {
		return &outcome{chain: csr.Status.Certificate}
	}
	c := verdict(csr)
	if c == nil {
		return nil
	}
	switch c.Type {
	case certificatesv1.CertificateDenied:
		return &outcome{err: decided{denial(csr.Name, c)}}
	case certificatesv1.CertificateFailed:
		return &outcome{err: decided{fmt.Errorf("%s: the signer refused it: %s", csrName(csr), because(c))}}
	}
	return nil
}

// denial returns Kubernetes' record of a denial. The API server sets the time of the transition; the client that denied
// chose the other one.
func denial(name string, c *certificatesv1.CertificateSigningRequestCondition) reconcile.Denial {
	at := c.LastTransitionTime
	if at.IsZero() {
		at = c.LastUpdateTime
	}
	return reconcile.Denial{Request: name, Reason: api.Shorten(c.Reason), Message: api.Shorten(c.Message), At: at.UTC()}
}

// because quotes the beginning of a condition. Its author may have written control characters, and a long text.
func because(c *certificatesv1.CertificateSigningRequestCondition) string {
	return fmt.Sprintf("%q (reason %q)", api.Shorten(c.Message), api.Shorten(c.Reason))
}
