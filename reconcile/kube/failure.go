package kube

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

// admission finds in an answer which admission policy or webhook it comes from. RBAC says "cannot VERB resource" instead.
var admission = regexp.MustCompile(`(ValidatingAdmissionPolicy) '([a-z0-9.-]+)' with binding '[a-z0-9.-]+' denied request|` +
	`(admission webhook) "([a-z0-9.-]+)" denied the request|failed calling (webhook) "([a-z0-9.-]+)"`)

// admissionHint says what to do about an answer of admission control, or "" if it is none. The object's name is left out:
// whoever may create bindings chooses it.
func admissionHint(err error) string {
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

// noAPIServer is the hint for an answer that no API server gives.
const noAPIServer = "is it the API server that you mean (--kubeconfig, --context), and is something between certsync and it?"

// maxErrorText is how many bytes of an error are shown: the API server or a webhook chooses what is in it.
const maxErrorText = 2 << 10

// brief is an error whose text is cut off. Of the error itself nothing is lost.
type brief struct{ error }

func (b brief) Error() string { return inventory.Shorten(b.error.Error(), maxErrorText) }
func (b brief) Unwrap() error { return b.error }

// failed wraps what the API server or the network answered with what certsync was doing, and with a hint where one
// helps.
func (c *Cluster) failed(doing string, err error) error {
	var (
		large     *httplimit.TooLarge
		transport *url.Error
		untrusted *tls.CertificateVerificationError
	)
	err = brief{err}
	switch {
	case errors.As(err, &large):
		return reconcile.WithHint(fmt.Errorf("%s: %w", doing, large), noAPIServer)
	case errors.Is(err, errLongList):
		return reconcile.WithHint(fmt.Errorf("%s: reading what %s sends: %w", doing, c.server, err), noAPIServer)
	case admissionHint(err) != "":
		return reconcile.WithHint(fmt.Errorf("%s: %w", doing, err), admissionHint(err))
	case apierrors.IsUnauthorized(err):
		return reconcile.WithHint(
			fmt.Errorf("%s: the cluster does not accept this identity: %w", doing, err),
			"check the user of the kubeconfig, or the service account's token: kubectl auth whoami")
	case apierrors.IsForbidden(err):
		return reconcile.WithHint(fmt.Errorf("%s: %w", doing, err),
			"grant it to the identity that runs certsync; the README lists the rights that plan and apply need")
	case errors.As(err, &untrusted):
		return reconcile.WithHint(
			fmt.Errorf("%s: %s does not prove to be the API server: %w", doing, c.server, untrusted.Err),
			"check certificate-authority and tls-server-name in the kubeconfig")
	case errors.As(err, &transport):
		// The URL with its query says less than the server's name.
		return reconcile.WithHint(fmt.Errorf("%s: reaching %s: %w", doing, c.server, transport.Err),
			"is the API server up, and the one that you mean (--kubeconfig, --context)?")
	case errors.Is(err, context.DeadlineExceeded):
		return reconcile.WithHint(fmt.Errorf("%s: no answer from %s: %w", doing, c.server, err),
			"is the API server overloaded, or something between swallowing packets? The next run finishes what this one left")
	}
	return fmt.Errorf("%s: %w", doing, err)
}
