package csr

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/api"
	"github.com/certsync/certsync/reconcile/preflight"
)

var (
	_ reconcile.Issuer         = (*Issuer)(nil)
	_ preflight.RequestDeleter = (*Issuer)(nil)
	_ preflight.RequestTrier   = (*Issuer)(nil)
)

// defaultMaxInFlight is the default number of CertificateSigningRequests that wait for the signer at once. The kubelets'
// renewals use the same signer.
const defaultMaxInFlight = 50

// defaultApprovalTimeout is the default time that people have to approve a request.
const defaultApprovalTimeout = 10 * time.Minute

// discardTimeout bounds the deletion of a request that did not become a certificate. It also counts when the run is over.
const discardTimeout = 5 * time.Second

// signerHint is the hint for a signer that does not sign.
const signerHint = "check that the cluster runs a signer for " + certificatesv1.KubeAPIServerClientSignerName +
	" (kube-controller-manager with --cluster-signing-cert-file and --cluster-signing-key-file). " +
	"EKS approves client certificates and never issues them"

// changedHint is the hint for an object that is not what certsync sent.
const changedHint = "find the admission webhook or proxy that changes CertificateSigningRequests"

var errClosed = errors.New("the issuer is closed")

// Options say for which owner and run certificates are issued, and by whose approval.
type Options struct {
	Owner       string
	RunID       string
	Identity    reconcile.Identity // certsync's own, by WhoAmI; only requests of this identity are approved
	MaxInFlight int                // requests at once; by default 50

	// Manual leaves the approval to people, who have ApprovalTimeout for each request (by default 10 minutes). certsync then
	// approves nothing.
	Manual          bool
	ApprovalTimeout time.Duration
	// Announce is called with each request that waits for people, and its user. Several goroutines call it at once.
	Announce func(user string, csr reconcile.CSRRef)
	// StopAsking ends the wait for people when it is closed. It does not end the wait for the signer. It may be nil.
	StopAsking <-chan struct{}
}

// Issuer gets certificates from the cluster's signer for API clients.
type Issuer struct {
	server  *api.Server
	options Options
	slots   chan struct{}
	newName func() string // of a request; random but in tests

	watch   *signerWatch
	start   sync.Once
	context context.Context // ends with Close
	cancel  context.CancelFunc
}

// New returns an Issuer, which the caller closes. It sends nothing to the cluster before the first Issue.
func New(server *api.Server, o Options) *Issuer {
	if o.MaxInFlight < 1 {
		o.MaxInFlight = defaultMaxInFlight
	}
	if o.ApprovalTimeout <= 0 {
		o.ApprovalTimeout = defaultApprovalTimeout
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Issuer{
		server:  server,
		options: o,
		slots:   make(chan struct{}, o.MaxInFlight),
		newName: func() string { return randomName(o.Owner) },
		watch:   newSignerWatch(server),
		context: ctx,
		cancel:  cancel,
	}
}

// Close ends the watch. Every Issue that still waits fails.
func (i *Issuer) Close() { i.cancel() }

// Issue creates a CertificateSigningRequest, approves it or asks people to approve it, and waits for its certificate. It
// never adopts a request that it finds. It approves, or asks people to approve, only the object that its own Create
// returned.
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
		// If the answer to Create comes too late, the request is never approved. The cluster deletes it after a day.
		return reconcile.Issued{}, err
	}
	// The waiter is registered before the approval. Otherwise it could miss a certificate that is issued at once.
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

// decide reports that the request exists, approves it or asks people to approve it, and waits for its certificate.
func (i *Issuer) decide(
	ctx context.Context, csr *certificatesv1.CertificateSigningRequest, w *waiter, ref reconcile.CSRRef, req reconcile.CertificateRequest,
) ([]byte, error) {
	if err := req.NoteCreated(ctx, ref); err != nil {
		return nil, err
	}
	decide := i.approve
	if i.options.Manual {
		decide = func(ctx context.Context, csr *certificatesv1.CertificateSigningRequest) error {
			return i.ask(ctx, csr, w, req.Username)
		}
	}
	if err := decide(ctx, csr); err != nil {
		return nil, err
	}
	return i.wait(ctx, csr, w, req.Within)
}

// create creates the request, and checks the object that the API server made.
func (i *Issuer) create(ctx context.Context, req reconcile.CertificateRequest) (*certificatesv1.CertificateSigningRequest, error) {
	want, err := newCSR(i.newName(), req)
	if err != nil {
		return nil, err
	}
	limited, cancel := api.WithTimeout(ctx)
	defer cancel()
	got, err := requests(i.server).Create(limited, want, metav1.CreateOptions{})
	if err != nil {
		return nil, i.server.Failed("creating a CertificateSigningRequest", err)
	}
	if err := sameRequest(want, got, i.options.Identity.Name); err != nil {
		i.discard(ctx, got, err)
		return nil, reconcile.WithHint(fmt.Errorf("creating %s: %w", csrName(got), err), changedHint)
	}
	return got, nil
}

// TryRequest has the API server go through creating a request, by a dry run. It checks the answer as Issue does.
func (i *Issuer) TryRequest(ctx context.Context, req reconcile.CertificateRequest) error {
	want, err := newCSR(i.newName(), req)
	if err != nil {
		return err
	}
	ctx, cancel := api.WithTimeout(ctx)
	defer cancel()
	got, err := requests(i.server).Create(ctx, want, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil {
		return api.Tried(err, i.server.Failed("trying to create a CertificateSigningRequest", err))
	}
	if got.UID == "" { // a dry run need not have one
		got.UID = "none"
	}
	if err := sameRequest(want, got, i.options.Identity.Name); err != nil {
		return reconcile.WithHint(fmt.Errorf("trying to create a CertificateSigningRequest: %w", err), changedHint)
	}
	return nil
}

// watching starts the watch, once, when a run first has to wait. If the watch always started, the order of calls would be
// random, and fault tests rely on it.
func (i *Issuer) watching() { i.start.Do(func() { i.watch.start(i.context) }) }

// wait returns the certificate. At the deadline it reads the request once, in case the watch is broken.
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
	err = fmt.Errorf("%s was approved, and %w: certsync waited %s", csrName(csr), reconcile.ErrNotIssued, inventory.DurationText(within))
	return nil, reconcile.WithHint(i.watched(err), signerHint)
}

// watched adds the watch's last error, if there is one, to the error of a wait that ended without a result.
func (i *Issuer) watched(err error) error {
	if last := i.watch.lastError(); last != nil {
		return fmt.Errorf("%w (%v)", err, i.server.Failed("watching certificatesigningrequests", last))
	}
	return err
}

// discard deletes a request that did not become a certificate, so that nobody approves or signs it later. It also does so
// when the run was cancelled, and ignores errors. A request that was denied or failed stays, so that people can see it; the
// cluster deletes it within two hours.
func (i *Issuer) discard(ctx context.Context, csr *certificatesv1.CertificateSigningRequest, reason error) {
	if d := (decided{}); csr.UID == "" || errors.As(reason, &d) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(api.Quiet(ctx)), discardTimeout)
	defer cancel()
	_ = requests(i.server).Delete(ctx, csr.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &csr.UID}})
}

// DeleteRequest deletes a request whose certificate is not needed any more. It also does so when the run was cancelled. It
// returns nil for a request that does not exist any more.
func (i *Issuer) DeleteRequest(ctx context.Context, ref reconcile.CSRRef) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(api.Quiet(ctx)), discardTimeout)
	defer cancel()
	uid := types.UID(ref.UID)
	err := requests(i.server).Delete(ctx, ref.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
	if err == nil || api.IsGone(err) {
		return nil
	}
	return i.server.Failed("deleting CertificateSigningRequest "+ref.Name, err)
}

// csrName returns a request's name for error texts.
func csrName(csr *certificatesv1.CertificateSigningRequest) string {
	return "CertificateSigningRequest " + api.Shorten(csr.Name)
}
