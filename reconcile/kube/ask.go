package kube

import (
	"context"
	"fmt"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/certsync/certsync/reconcile"
)

const notApprovedHint = "the request is deleted: apply again, and have somebody run the kubectl command " +
	"that apply prints; --approval-timeout gives them more time"

// ask has people approve a request. It returns nil once they did, or once anything else became of it, which wait tells.
// When the time is up it looks for itself, once: the watch may be what is broken. An approval that comes even later meets
// a request that is being deleted, or makes a certificate whose key is gone with the process, or is its user's own and for
// which the ledger accounts.
func (i *Issuer) ask(ctx context.Context, csr *certificatesv1.CertificateSigningRequest, w *waiter, user string) error {
	// Somebody, or a controller, may have decided before anybody waited to hear of it.
	if decided, err := i.look(ctx, csr); decided || err != nil {
		return err
	}
	i.watching()
	if i.options.Announce != nil {
		i.options.Announce(user, csr.Name)
	}
	deadline := time.NewTimer(i.options.ApprovalTimeout)
	defer deadline.Stop()
	select {
	case <-w.approved:
		return nil
	case o := <-w.settled:
		w.settled <- o
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for somebody to approve %s: %w", csrName(csr), context.Cause(ctx))
	case <-i.context.Done():
		return fmt.Errorf("waiting for somebody to approve %s: %w", csrName(csr), errClosed)
	case <-i.options.StopAsking:
		return fmt.Errorf("waiting for somebody to approve %s: the run was interrupted", csrName(csr))
	case <-deadline.C:
	}
	if decided, err := i.look(ctx, csr); decided || err != nil {
		return err
	}
	err := fmt.Errorf("%s: %w: they had %s", csrName(csr), reconcile.ErrNotApproved, i.options.ApprovalTimeout)
	return reconcile.WithHint(i.watched(err), notApprovedHint)
}

// look reads a request, tells the waiter what became of it, and says whether that is anything.
func (i *Issuer) look(ctx context.Context, csr *certificatesv1.CertificateSigningRequest) (decided bool, err error) {
	current, err := i.reread(ctx, csr)
	if err != nil {
		return false, err
	}
	return verdict(current) != nil || len(current.Status.Certificate) > 0, i.watch.Update(current)
}
