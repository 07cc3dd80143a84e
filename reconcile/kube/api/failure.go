package api

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/httplimit"
)

// admission finds the admission policy or webhook that an answer comes from. RBAC says "cannot VERB resource" instead.
var admission = regexp.MustCompile(`(ValidatingAdmissionPolicy) '([a-z0-9.-]+)' with binding '[a-z0-9.-]+' denied request|` +
	`(admission webhook) "([a-z0-9.-]+)" denied the request|failed calling (webhook) "([a-z0-9.-]+)"`)

// AdmissionHint returns the hint for an answer of admission control, or "" for any other error. It ignores the object's
// name, which others choose: a name could look like a policy's message.
func AdmissionHint(err error) string {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return ""
	}
	message := status.Status().Message
	if details := status.Status().Details; details != nil {
		message = strings.ReplaceAll(message, strconv.Quote(details.Name), "")
	}
	m := admission.FindStringSubmatch(message)
	if m == nil {
		return ""
	}
	return fmt.Sprintf("%s %q is in the way: have it let through what the identity that runs certsync does",
		cmp.Or(m[1], m[3], m[5]), cmp.Or(m[2], m[4], m[6]))
}

// noAPIServer is the hint for an answer that an API server does not give.
const noAPIServer = "is it the API server that you mean (--kubeconfig, --context), and is something between certsync and it?"

// maxErrorText is the number of bytes of an error that are shown. The API server or a webhook chooses its text.
const maxErrorText = 2 << 10

// Brief returns an error that wraps err, with at most maxErrorText bytes of its text.
func Brief(err error) error { return brief{err} }

type brief struct{ error }

func (b brief) Error() string { return inventory.Shorten(b.error.Error(), maxErrorText) }
func (b brief) Unwrap() error { return b.error }

// Failed returns an error that wraps err, an answer of the API server or a failure of the network. doing says what certsync
// was doing. Where a hint helps, the error has one.
func (s *Server) Failed(doing string, err error) error {
	var (
		large     *httplimit.TooLarge
		transport *url.Error
		untrusted *tls.CertificateVerificationError
	)
	err = Brief(err)
	switch {
	case errors.As(err, &large):
		return reconcile.WithHint(fmt.Errorf("%s: %w", doing, large), noAPIServer)
	case errors.Is(err, ErrLongList):
		return reconcile.WithHint(fmt.Errorf("%s: reading what %s sends: %w", doing, s.Address, err), noAPIServer)
	case AdmissionHint(err) != "":
		return reconcile.WithHint(fmt.Errorf("%s: %w", doing, err), AdmissionHint(err))
	case apierrors.IsUnauthorized(err):
		return reconcile.WithHint(
			fmt.Errorf("%s: the cluster does not accept this identity: %w", doing, err),
			"check the user of the kubeconfig, or the service account's token: kubectl auth whoami")
	case apierrors.IsForbidden(err):
		return reconcile.WithHint(fmt.Errorf("%s: %w", doing, err),
			"grant it to the identity that runs certsync; the README lists the rights that plan and apply need")
	case errors.As(err, &untrusted):
		return reconcile.WithHint(
			fmt.Errorf("%s: %s does not prove to be the API server: %w", doing, s.Address, Brief(untrusted.Err)),
			"check certificate-authority and tls-server-name in the kubeconfig")
	case errors.As(err, &transport):
		// The URL with its query says less than the server's name.
		return reconcile.WithHint(fmt.Errorf("%s: reaching %s: %w", doing, s.Address, Brief(transport.Err)),
			"is the API server up, and the one that you mean (--kubeconfig, --context)?")
	case errors.Is(err, context.DeadlineExceeded):
		return reconcile.WithHint(fmt.Errorf("%s: no answer from %s: %w", doing, s.Address, err),
			"is the API server overloaded, or something between swallowing packets? The next run finishes what this one left")
	}
	return fmt.Errorf("%s: %w", doing, err)
}
