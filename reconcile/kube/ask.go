package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// manualApprovalReason is the reason of approvals by people.
const manualApprovalReason = "CertsyncManualApproval"

const notApprovedHint = "the request is deleted: apply again, and have somebody run the kubectl command " +
	"that apply prints; --approval-timeout gives them more time"

// approvalPatch is a JSON merge patch of a request's /approval. The API server refuses it for an object with another uid.
type approvalPatch struct {
	Metadata struct {
		UID string `json:"uid"`
	} `json:"metadata"`
	Status struct {
		Conditions [1]approvalCondition `json:"conditions"`
	} `json:"status"`
}

type approvalCondition struct {
	Type    certificatesv1.RequestConditionType `json:"type"`
	Status  corev1.ConditionStatus              `json:"status"`
	Reason  string                              `json:"reason"`
	Message string                              `json:"message"`
}

// ApproveCommand is the kubectl command, for a shell, with which people approve a request. Another one that has its name
// by then is not approved: whoever may create requests chooses their names. A request that was denied stays denied.
func ApproveCommand(csr reconcile.CSRRef) string {
	var p approvalPatch
	p.Metadata.UID = csr.UID
	p.Status.Conditions[0] = approvalCondition{
		Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue,
		Reason: manualApprovalReason, Message: "approved with the command that certsync printed",
	}
	patch, err := json.Marshal(p)
	if err != nil {
		panic(err) // strings only
	}
	return fmt.Sprintf("kubectl patch csr %s --subresource=approval --type=merge -p %s", inventory.ShellQuote(csr.Name), inventory.ShellQuote(string(patch)))
}

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
		i.options.Announce(user, reconcile.CSRRef{Name: csr.Name, UID: string(csr.UID)})
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
