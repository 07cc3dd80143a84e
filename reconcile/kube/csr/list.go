package csr

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	certificatesv1client "k8s.io/client-go/kubernetes/typed/certificates/v1"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/api"
)

// maxRequests is the number of requests that List returns. Anybody with the right to create requests can create thousands with
// names like certsync's.
const maxRequests = 100

// ofSigner selects the requests to the signer for API clients.
var ofSigner = fields.OneTermEqualSelector("spec.signerName", certificatesv1.KubeAPIServerClientSignerName).String()

// requests returns the client for CertificateSigningRequests.
func requests(s *api.Server) certificatesv1client.CertificateSigningRequestInterface {
	return s.Client.CertificatesV1().CertificateSigningRequests()
}

// List returns the requests with names of an owner that have no certificate: pending, approved, denied or failed. They are sorted by age and
// name. more is the number of requests that List leaves out, if there are over 100.
func List(ctx context.Context, server *api.Server, owner string) (all []reconcile.Request, more int, err error) {
	o := metav1.ListOptions{FieldSelector: ofSigner}
	prefix := namePrefix(owner)
	err = api.List(ctx, requests(server).List, o, func(csr *certificatesv1.CertificateSigningRequest) bool {
		switch {
		case len(csr.Status.Certificate) > 0, !strings.HasPrefix(csr.Name, prefix):
		case len(all) == maxRequests:
			more++
		default:
			all = append(all, fromCSR(csr))
		}
		return true // also without a place in all: reading them all could take a run's time
	})
	if errors.Is(err, api.ErrLongList) || errors.Is(err, api.ErrLongShare) {
		more, err = more+1, nil // otherwise anybody with the right to create requests could prevent every plan
	}
	if err != nil {
		return nil, 0, server.Failed("listing certificatesigningrequests", err)
	}
	slices.SortFunc(all, func(a, b reconcile.Request) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.Name, b.Name))
	})
	return all, more, nil
}

// fromCSR returns the fields of a request that a plan shows.
func fromCSR(csr *certificatesv1.CertificateSigningRequest) reconcile.Request {
	r := reconcile.Request{
		Name:        csr.Name,
		User:        api.Shorten(commonName(csr.Spec.Request)),
		RequestedBy: csr.Spec.Username,
		CreatedAt:   csr.CreationTimestamp.UTC(),
		State:       "pending",
	}
	if c := verdict(csr); c != nil {
		r.Reason, r.Message = api.Shorten(c.Reason), api.Shorten(c.Message)
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

// verdict returns the condition that decides a request without a certificate, or nil while the request is pending. A failed
// request is also approved.
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

// commonName returns the name in a request's subject, or "" if the request cannot be parsed.
func commonName(request []byte) string {
	r, err := reconcile.ParseCertificateRequest(request)
	if err != nil {
		return ""
	}
	return r.Subject.CommonName
}
