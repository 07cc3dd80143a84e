package csr

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/inventory/shell"
	"github.com/certsync/certsync/reconcile"
)

// manualApprovalReason is the reason of an approval by somebody who ran the printed command.
const manualApprovalReason = "CertsyncManualApproval"

const notApprovedHint = "the request is deleted. Run `certsync apply` again, and ask somebody to run the kubectl command " +
	"that it prints; --approval-timeout sets how long certsync waits"

// approvalPatch is a JSON merge patch for a request's subresource approval. The API server refuses it for an object with
// another uid.
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

// ApproveCommand returns the kubectl command with which a person approves a request, quoted for a shell. It names the
// request's UID, so it does not approve another request of the same name, which anybody could have created meanwhile. A
// request that was denied stays denied.
func ApproveCommand(ref reconcile.CSRRef) string {
	var p approvalPatch
	p.Metadata.UID = ref.UID
	p.Status.Conditions[0] = approvalCondition{
		Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue,
		Reason: manualApprovalReason, Message: "approved with the command that certsync printed",
	}
	patch, err := json.Marshal(p)
	if err != nil {
		panic(err) // strings only
	}
	return fmt.Sprintf("kubectl patch csr %s --subresource=approval --type=merge -p %s", shell.Quote(ref.Name), shell.Quote(string(patch)))
}

// ask announces a request to people and waits for their approval. It returns nil once the request is approved or has
// another outcome, which wait then returns. At the end of the time it reads the request once, in case the watch is broken.
//
// An approval that comes even later is harmless. The request is being deleted, or the certificate's key is lost with the
// process. If the key is the user's own, the ledger knows the request.
func (i *Issuer) ask(ctx context.Context, csr *certificatesv1.CertificateSigningRequest, w *waiter, user string) error {
	// A person or a controller can have decided before the waiter was there.
	if decided, err := i.readDecision(ctx, csr); decided || err != nil {
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
	if decided, err := i.readDecision(ctx, csr); decided || err != nil {
		return err
	}
	err := fmt.Errorf("%s: %w: certsync waited %s", csrName(csr), reconcile.ErrNotApproved, inventory.DurationText(i.options.ApprovalTimeout))
	return reconcile.WithHint(i.watched(err), notApprovedHint)
}

// readDecision reads a request, passes its state to the waiter, and reports whether the request is decided or issued.
func (i *Issuer) readDecision(ctx context.Context, csr *certificatesv1.CertificateSigningRequest) (decided bool, err error) {
	current, err := i.reread(ctx, csr)
	if err != nil {
		return false, err
	}
	return verdict(current) != nil || len(current.Status.Certificate) > 0, i.watch.Update(current)
}
