package csr

import (
	"context"
	"fmt"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/api"
)

// approvalReason is the reason of certsync's own approvals.
const approvalReason = "CertsyncApproved"

// approvalTries bounds the attempts to approve a request that somebody else changes all the time.
const approvalTries = 20

// approve approves the object that Create returned, with its resourceVersion and uid as preconditions. Others can change its
// labels meanwhile, or approve or deny it. So after a conflict, approve reads it again and makes sure that it is the same
// request. If others have decided, the waiter gets their decision.
func (i *Issuer) approve(ctx context.Context, csr *certificatesv1.CertificateSigningRequest) error {
	current := csr
	var readErr error
	err := api.RetryOnConflict(approvalTries, func() error {
		if verdict(current) != nil {
			// Somebody else has decided, maybe so early that the watch saw the outcome before anybody waited for it.
			return i.watch.Update(current)
		}
		err := i.sendApproval(ctx, current)
		if apierrors.IsConflict(err) {
			if current, readErr = i.reread(ctx, csr); readErr != nil {
				return readErr
			}
		}
		return err
	})
	switch {
	case err == nil:
		return nil
	case readErr != nil:
		return readErr
	case apierrors.IsNotFound(err):
		return errDeleted(csr.Name)
	case apierrors.IsConflict(err):
		return fmt.Errorf("approving %s: it changed %d times meanwhile: %w", csrName(csr), approvalTries, api.Brief(err))
	}
	return i.approvalFailed(csr, err)
}

func (i *Issuer) sendApproval(ctx context.Context, csr *certificatesv1.CertificateSigningRequest) error {
	approved := csr.DeepCopy()
	approved.Status.Conditions = append(approved.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
		Type:    certificatesv1.CertificateApproved,
		Status:  corev1.ConditionTrue,
		Reason:  approvalReason,
		Message: fmt.Sprintf("owner %s, run %s", i.options.Owner, i.options.RunID),
	})
	ctx, cancel := api.WithTimeout(ctx)
	defer cancel()
	_, err := requests(i.server).UpdateApproval(ctx, csr.Name, approved, metav1.UpdateOptions{})
	return err
}

// approvalFailed returns the error for a failed approval. The hint for a 403 names the two rights that an approval needs; the
// API server's message names one of them.
func (i *Issuer) approvalFailed(csr *certificatesv1.CertificateSigningRequest, err error) error {
	doing := "approving " + csrName(csr)
	if api.RejectionOf(err).By == api.ByRBAC {
		return reconcile.WithHint(fmt.Errorf("%s: %w", doing, api.Brief(err)),
			"grant certsync update on certificatesigningrequests/approval, and approve on signers/"+
				certificatesv1.KubeAPIServerClientSignerName)
	}
	return i.server.Failed(doing, err)
}

// reread reads the request again. Another object of the same name counts as deleted: it is not certsync's.
func (i *Issuer) reread(ctx context.Context, csr *certificatesv1.CertificateSigningRequest) (*certificatesv1.CertificateSigningRequest, error) {
	ctx, cancel := api.WithTimeout(ctx)
	defer cancel()
	current, err := requests(i.server).Get(ctx, csr.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, errDeleted(csr.Name)
	case err != nil:
		return nil, i.server.Failed("reading "+csrName(csr), err)
	case current.UID != csr.UID:
		return nil, errDeleted(csr.Name)
	case !equality.Semantic.DeepEqual(current.Spec, csr.Spec):
		return nil, fmt.Errorf("reading %s: its spec has changed since it was created, which Kubernetes does not allow", csrName(csr))
	}
	return current, nil
}
