package kube

import (
	"bytes"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certsync/certsync/reconcile"
)

// RunLabel names the run that made a CertificateSigningRequest.
const RunLabel = "certsync.dev/run"

// generateName leaves the rest of a request's name to the API server: under a name that can be guessed, whoever may
// create requests could plant one first. EKS ignores names that begin with "csr-".
const generateName = "certsync-"

// ourRequestName is what the API server makes of generateName. People are told to paste it into a shell.
var ourRequestName = regexp.MustCompile(`^` + generateName + `[a-z0-9]+$`)

// newCSR is the object to be created for req.
func newCSR(o IssuerOptions, req reconcile.CertificateRequest) (*certificatesv1.CertificateSigningRequest, error) {
	if req.Expiration <= 0 || req.Expiration > math.MaxInt32*time.Second {
		return nil, fmt.Errorf("creating a CertificateSigningRequest: %s is no lifetime for a certificate", req.Expiration)
	}
	seconds := int32(req.Expiration / time.Second)
	labels := ourLabels(o.Owner)
	labels[RunLabel] = o.RunID
	return &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{GenerateName: generateName, Labels: labels},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request:           req.CSR,
			SignerName:        certificatesv1.KubeAPIServerClientSignerName,
			ExpirationSeconds: &seconds,
			// The signer refuses anything else but key encipherment, which ECDSA keys cannot do.
			Usages: []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageClientAuth},
		},
	}, nil
}

// sameRequest says in what the object that the API server made is not what was sent, or not by us. Approving it would
// vouch for a request that certsync never made.
func sameRequest(want, got *certificatesv1.CertificateSigningRequest, self string) error {
	var wrong []string
	differs := func(what string, yes bool) {
		if yes {
			wrong = append(wrong, what)
		}
	}
	differs("uid", got.UID == "")
	differs("name", !ourRequestName.MatchString(got.Name))
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

// decided is what the cluster itself said about a request: nothing pends any more.
type decided struct{ error }

func (d decided) Unwrap() error { return d.error }

// errDeleted is for a request that somebody deleted, or that the cluster did after a day.
func errDeleted(name string) error {
	return decided{fmt.Errorf("CertificateSigningRequest %s was deleted while certsync waited for it", name)}
}

// outcome is what became of an approved request.
type outcome struct {
	chain []byte
	err   error
}

// outcomeOf is nil while a request waits for its signer.
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

// denial is what is known of a denial. Of its times, the transition's is the API server's own; the other is whatever the
// one who denied sent.
func denial(name string, c *certificatesv1.CertificateSigningRequestCondition) reconcile.Denial {
	at := c.LastTransitionTime
	if at.IsZero() {
		at = c.LastUpdateTime
	}
	return reconcile.Denial{Request: name, Reason: short(c.Reason), Message: short(c.Message), At: at.UTC()}
}

// because quotes the beginning of a condition: whoever wrote it may have put control characters there, and a lot of them.
func because(c *certificatesv1.CertificateSigningRequestCondition) string {
	return fmt.Sprintf("%q (reason %q)", short(c.Message), short(c.Reason))
}
