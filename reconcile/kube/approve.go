package kube

import (
	"context"
	"fmt"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certsync/certsync/reconcile"
)

// ApprovalReason is the reason of certsync's approvals.
const ApprovalReason = "CertsyncApproved"

// approvalTries bounds how often somebody who keeps changing a request's labels can make certsync start over.
const approvalTries = 20

// approve approves the object that Create returned: its resourceVersion and uid are the preconditions. When others
// changed it since (they can change labels, and decide about it), what stands there now must be the same request. What
// others decided is told to the waiter.
func (i *Issuer) approve(ctx context.Context, csr *certificatesv1.CertificateSigningRequest) error {
	current := csr
	for try := 1; ; try++ {
		if verdict(current) != nil {
			// Somebody else decided, maybe so early that the watch saw what came of it before anybody waited.
			return i.watch.Update(current)
		}
		err := i.sendApproval(ctx, current)
		switch {
		case err == nil:
			return nil
		case apierrors.IsNotFound(err):
			return errDeleted(csr.Name)
		case !apierrors.IsConflict(err):
			return i.approvalFailed(csr, err)
		case try == approvalTries:
			return fmt.Errorf("approving %s: it changed %d times meanwhile: %w", csrName(csr), try, brief{err})
		}
		if current, err = i.reread(ctx, csr); err != nil {
			return err
		}
	}
}

func (i *Issuer) sendApproval(ctx context.Context, csr *certificatesv1.CertificateSigningRequest) error {
	approved := csr.DeepCopy()
	approved.Status.Conditions = append(approved.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
		Type:    certificatesv1.CertificateApproved,
		Status:  corev1.ConditionTrue,
		Reason:  ApprovalReason,
		Message: fmt.Sprintf("owner %s, run %s", i.options.Owner, i.options.RunID),
	})
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	_, err := i.cluster.csrs().UpdateApproval(ctx, csr.Name, approved, metav1.UpdateOptions{})
	return err
}

// approvalFailed adds to a 403 what it takes to approve: two rights, of which the message names one.
func (i *Issuer) approvalFailed(csr *certificatesv1.CertificateSigningRequest, err error) error {
	doing := "approving " + csrName(csr)
	if apierrors.IsForbidden(err) && admissionHint(err) == "" {
		return reconcile.WithHint(fmt.Errorf("%s: %w", doing, brief{err}),
			"grant certsync update on certificatesigningrequests/approval, and approve on signers/"+
				certificatesv1.KubeAPIServerClientSignerName)
	}
	return i.cluster.failed(doing, err)
}

// reread gets the request anew, and only that request: another object under its name is none of ours.
func (i *Issuer) reread(ctx context.Context, csr *certificatesv1.CertificateSigningRequest) (*certificatesv1.CertificateSigningRequest, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	current, err := i.cluster.csrs().Get(ctx, csr.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, errDeleted(csr.Name)
	case err != nil:
		return nil, i.cluster.failed("reading "+csrName(csr), err)
	case current.UID != csr.UID:
		return nil, errDeleted(csr.Name)
	case !equality.Semantic.DeepEqual(current.Spec, csr.Spec):
		return nil, fmt.Errorf("reading %s: its spec is another than when it was created, which Kubernetes rules out", csrName(csr))
	}
	return current, nil
}
