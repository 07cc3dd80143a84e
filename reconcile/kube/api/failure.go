package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/httplimit"
)

// noAPIServer is the hint for an answer that an API server does not give.
const noAPIServer = "check that --kubeconfig and --context name the right API server, and that no proxy answers in its place"

// maxErrorText is the number of bytes of an error that are shown. The API server or a webhook chooses its text.
const maxErrorText = 2 << 10

// Brief returns an error that wraps err, with at most maxErrorText bytes of its text.
func Brief(err error) error { return brief{err} }

type brief struct{ error }

func (b brief) Error() string { return inventory.Shorten(b.error.Error(), maxErrorText) }
func (b brief) Unwrap() error { return b.error }

// IsGone reports whether the API server has answered that an object does not exist. A webhook can deny a request with any
// code, and a proxy answers 404 for paths that it does not know: neither is an object that is gone.
func IsGone(err error) bool {
	return apierrors.IsNotFound(err) && RejectionOf(err).By == NotRejected && !foreign(err)
}

// foreign reports whether an answer that is an error is not in the form of the API.
func foreign(err error) bool {
	return apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
}

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
	case RejectionOf(err).By != NotRejected:
		return reconcile.WithHint(fmt.Errorf("%s: %w", doing, err), RejectionOf(err).Hint)
	case apierrors.IsUnauthorized(err):
		return reconcile.WithHint(
			fmt.Errorf("%s: the cluster does not accept this identity: %w", doing, err),
			"check the user of the kubeconfig, or the service account's token, with `kubectl auth whoami`. "+
				"A proxy or load balancer that ends TLS drops the client certificate")
	case apierrors.IsNotFound(err) && foreign(err):
		return reconcile.WithHint(fmt.Errorf("%s: %w", doing, err), noAPIServer)
	case errors.As(err, &untrusted):
		return reconcile.WithHint(
			fmt.Errorf("%s: %s does not prove that it is the API server: %w", doing, s.Address, Brief(untrusted.Err)),
			"check certificate-authority and tls-server-name in the kubeconfig")
	case errors.As(err, &transport):
		// The URL with its query says less than the server's name.
		return reconcile.WithHint(fmt.Errorf("%s: reaching %s: %w", doing, s.Address, Brief(transport.Err)),
			"check that --kubeconfig and --context name the right API server, and that it is running")
	case errors.Is(err, context.DeadlineExceeded):
		return reconcile.WithHint(fmt.Errorf("%s: no answer from %s: %w", doing, s.Address, err),
			"check whether the API server is overloaded, or a firewall drops packets. The next run completes the work")
	}
	return fmt.Errorf("%s: %w", doing, err)
}
