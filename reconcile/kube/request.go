package kube

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// maxRequests and maxText bound what is kept of requests, and requestPage how many are read at once: whoever may create
// them can put our labels on thousands of the largest that the API server takes.
const (
	maxRequests = 100
	maxText     = 253
	requestPage = 50
)

// requests lists what is in flight, or was turned down, under the owner's labels, and counts what it leaves out.
func (c *Cluster) requests(ctx context.Context, owner string) (all []reconcile.Request, more int, err error) {
	o := metav1.ListOptions{LabelSelector: labels.Set(ourLabels(owner)).String(), Limit: requestPage}
	err = list(ctx, c.csrs().List, o, func(csr *certificatesv1.CertificateSigningRequest) {
		switch {
		case len(csr.Status.Certificate) > 0:
		case len(all) == maxRequests:
			more++
		default:
			all = append(all, fromCSR(csr))
		}
	})
	if errors.Is(err, errLongList) {
		more, err = more+1, nil // whoever may create requests could otherwise keep every plan from being made
	}
	if err != nil {
		return nil, 0, c.failed("listing certificatesigningrequests", err)
	}
	slices.SortFunc(all, func(a, b reconcile.Request) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.Name, b.Name))
	})
	return all, more, nil
}

// short keeps the beginning of somebody else's text.
func short(s string) string { return inventory.Shorten(s, maxText) }

// ourLabels are on every object that certsync makes.
func ourLabels(owner string) map[string]string {
	return map[string]string{
		reconcile.ManagedByLabel: reconcile.ManagedByValue,
		reconcile.OwnerLabel:     owner,
	}
}

func fromCSR(csr *certificatesv1.CertificateSigningRequest) reconcile.Request {
	r := reconcile.Request{
		Name:        csr.Name,
		User:        short(commonName(csr.Spec.Request)),
		RequestedBy: csr.Spec.Username,
		CreatedAt:   csr.CreationTimestamp.UTC(),
		State:       "pending",
	}
	if c := verdict(csr); c != nil {
		r.Reason, r.Message = short(c.Reason), short(c.Message)
		switch c.Type {
		case certificatesv1.CertificateApproved:
			r.State = "approved"
		case certificatesv1.CertificateDenied:
			r.State = "denied"
		case certificatesv1.CertificateFailed:
			r.State = "failed"
		}
	}
	return r
}

// verdict is the condition that decides about a request without a certificate, or nil while it is pending. Failed
// comes on top of Approved.
func verdict(csr *certificatesv1.CertificateSigningRequest) *certificatesv1.CertificateSigningRequestCondition {
	for _, t := range []certificatesv1.RequestConditionType{
		certificatesv1.CertificateDenied, certificatesv1.CertificateFailed, certificatesv1.CertificateApproved,
	} {
		for i, c := range csr.Status.Conditions {
			if c.Type == t {
				return &csr.Status.Conditions[i]
			}
		}
	}
	return nil
}

// commonName is whom a request is for; nobody, if it does not parse.
func commonName(request []byte) string {
	block, _ := pem.Decode(request)
	if block == nil {
		return ""
	}
	r, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return ""
	}
	return r.Subject.CommonName
}
