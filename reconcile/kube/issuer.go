package kube

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certsync/certsync/reconcile"
)

var _ reconcile.Issuer = (*Issuer)(nil)

// DefaultMaxInFlight is how many CertificateSigningRequests wait for the signer at once unless told otherwise. The
// kubelets' renewals go through the same signer.
const DefaultMaxInFlight = 50

// DefaultApprovalTimeout is how long people have to approve a request unless told otherwise.
const DefaultApprovalTimeout = 10 * time.Minute

// discardTimeout is what a request that came to nothing gets to be deleted, on top of a run that may be over.
const discardTimeout = 5 * time.Second

// signerHint is for a signer that does not sign.
const signerHint = "does the cluster run a signer for " + certificatesv1.KubeAPIServerClientSignerName +
	" (kube-controller-manager with --cluster-signing-cert-file and --cluster-signing-key-file)? " +
	"EKS approves client certificates and never issues them"

var errClosed = errors.New("the issuer is closed")

// IssuerOptions say on whose behalf certificates are issued.
type IssuerOptions struct {
	Owner       string
	RunID       string
	Identity    reconcile.Identity // certsync's own, as WhoAmI tells it: only its requests are approved
	MaxInFlight int                // by default DefaultMaxInFlight

	// Manual leaves approving to people, who have ApprovalTimeout for each request (by default DefaultApprovalTimeout).
	// certsync then approves nothing.
	Manual          bool
	ApprovalTimeout time.Duration
	// Announce is told of each request that waits for people, and for whom it is. It is called by several goroutines at
	// once.
	Announce func(user string, csr reconcile.CSRRef)
	// StopAsking ends the wait for people when it is closed, and no other; nil: never.
	StopAsking <-chan struct{}
}

// Issuer has certificates issued by the cluster's signer for API clients.
type Issuer struct {
	cluster *Cluster
	options IssuerOptions
	slots   chan struct{}

	watch   *signerWatch
	start   sync.Once
	context context.Context // ends with Close
	cancel  context.CancelFunc
}

// Issuer returns an Issuer, to be closed. It sends nothing to the cluster before the first Issue.
func (c *Cluster) Issuer(o IssuerOptions) *Issuer {
	if o.MaxInFlight < 1 {
		o.MaxInFlight = DefaultMaxInFlight
	}
	if o.ApprovalTimeout <= 0 {
		o.ApprovalTimeout = DefaultApprovalTimeout
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Issuer{
		cluster: c,
		options: o,
		slots:   make(chan struct{}, o.MaxInFlight),
		watch:   newSignerWatch(c),
		context: ctx,
		cancel:  cancel,
	}
}

// Close ends the watch. Every Issue still waiting fails.
func (i *Issuer) Close() { i.cancel() }

// Issue creates a CertificateSigningRequest, approves it or has people do so, and waits for its certificate. It never
// looks for a request by name or label: it approves, or asks people to approve, nothing but the object that its own
// Create returned.
func (i *Issuer) Issue(ctx context.Context, req reconcile.CertificateRequest) (reconcile.Issued, error) {
	select {
	case i.slots <- struct{}{}:
		defer func() { <-i.slots }()
	case <-ctx.Done():
		return reconcile.Issued{}, fmt.Errorf("waiting for a turn at the signer: %w", context.Cause(ctx))
	}
	if i.context.Err() != nil {
		return reconcile.Issued{}, errClosed
	}
	csr, err := i.create(ctx, req)
	if err != nil {
		// A request whose Create answered too late is never approved; the cluster deletes it after a day.
		return reconcile.Issued{}, err
	}
	// Registered before the approval: a certificate that is there before anybody waits for it would be missed.
	waiter := i.watch.register(csr)
	defer i.watch.forget(csr.UID)
	ref := reconcile.CSRRef{Name: csr.Name, UID: string(csr.UID)}
	chain, err := i.decide(ctx, csr, waiter, ref, req)
	if err != nil {
		i.discard(ctx, csr, err)
		return reconcile.Issued{}, err
	}
	return reconcile.Issued{Chain: chain, CSR: ref}, nil
}

// decide tells of the request, approves it or has people do so, and waits for its certificate.
func (i *Issuer) decide(
	ctx context.Context, csr *certificatesv1.CertificateSigningRequest, w *waiter, ref reconcile.CSRRef, req reconcile.CertificateRequest,
) ([]byte, error) {
	if err := req.NoteCreated(ctx, ref); err != nil {
		return nil, err
	}
	decide := i.approve
	if i.options.Manual {
		decide = func(ctx context.Context, csr *certificatesv1.CertificateSigningRequest) error {
			return i.ask(ctx, csr, w, req.User)
		}
	}
	if err := decide(ctx, csr); err != nil {
		return nil, err
	}
	return i.wait(ctx, csr, w, req.Within)
}

// create sends the request and checks what came of it.
func (i *Issuer) create(ctx context.Context, req reconcile.CertificateRequest) (*certificatesv1.CertificateSigningRequest, error) {
	want, err := newCSR(i.options, req)
	if err != nil {
		return nil, err
	}
	short, cancel := withTimeout(ctx)
	defer cancel()
	got, err := i.cluster.csrs().Create(short, want, metav1.CreateOptions{})
	if err != nil {
		return nil, i.cluster.failed("creating a CertificateSigningRequest", err)
	}
	if err := sameRequest(want, got, i.options.Identity.Name); err != nil {
		i.discard(ctx, got, err)
		return nil, reconcile.WithHint(fmt.Errorf("creating %s: %w", csrName(got), err),
			"an admission webhook, or something between certsync and the API server, changes CertificateSigningRequests")
	}
	return got, nil
}

// watching starts the watch, once, when a run first has to wait. A watch that always starts would make the order of calls
// random, and fault tests rely on it.
func (i *Issuer) watching() { i.start.Do(func() { i.watch.start(i.context) }) }

// wait returns the certificate. Past the deadline it looks for itself, once: the watch may be what is broken.
func (i *Issuer) wait(
	ctx context.Context, csr *certificatesv1.CertificateSigningRequest, w *waiter, within time.Duration,
) ([]byte, error) {
	select {
	case o := <-w.settled:
		return o.chain, o.err
	default:
		i.watching()
	}
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	select {
	case o := <-w.settled:
		return o.chain, o.err
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for the certificate of %s: %w", csrName(csr), context.Cause(ctx))
	case <-i.context.Done():
		return nil, fmt.Errorf("waiting for the certificate of %s: %w", csrName(csr), errClosed)
	case <-deadline.C:
	}
	current, err := i.reread(ctx, csr)
	if err != nil {
		return nil, err
	}
	if o := outcomeOf(current); o != nil {
		return o.chain, o.err
	}
	err = fmt.Errorf("%s was approved, and %w: it had %s", csrName(csr), reconcile.ErrNotIssued, within)
	return nil, reconcile.WithHint(i.watched(err), signerHint)
}

// watched adds to the end of a wait in vain that the watch did not work either.
func (i *Issuer) watched(err error) error {
	if last := i.watch.lastError(); last != nil {
		return fmt.Errorf("%w (%v)", err, i.cluster.failed("watching certificatesigningrequests", last))
	}
	return err
}

// discard deletes a request that came to nothing, so that nobody approves or signs it later. What was denied or failed
// stays for people to see; the cluster deletes it within two hours. It is best effort, and done even when the run was
// cancelled.
func (i *Issuer) discard(ctx context.Context, csr *certificatesv1.CertificateSigningRequest, why error) {
	if said := (decided{}); csr.UID == "" || errors.As(why, &said) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(quiet(ctx)), discardTimeout)
	defer cancel()
	_ = i.cluster.csrs().Delete(ctx, csr.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &csr.UID}})
}

// csrName is how errors name a request.
func csrName(csr *certificatesv1.CertificateSigningRequest) string {
	return "CertificateSigningRequest " + short(csr.Name)
}
