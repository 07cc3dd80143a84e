package csr

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/apitest"
)

func TestRequestsInFlight(t *testing.T) {
	s := apitest.New(t)
	request := func(name, age string, spec []byte, status apitest.Object) apitest.Object {
		return apitest.Object{
			"metadata": apitest.Object{"name": "certsync-prod-eu." + name, "creationTimestamp": age},
			"spec":     apitest.Object{"request": spec, "username": "bob", "signerName": "x"}, "status": status,
		}
	}
	condition := func(kinds ...string) apitest.Object {
		var all []apitest.Object
		for _, k := range kinds {
			all = append(all, apitest.Object{"type": k, "status": "True", "reason": k + "Reason", "message": k + " message"})
		}
		return apitest.Object{"conditions": all}
	}
	alice := apitest.NewRequest("alice")
	s.Routes["GET "+csrPath] = apitest.Paged("certificates.k8s.io/v1 CertificateSigningRequestList",
		apitest.Object{
			"metadata": apitest.Object{"name": "certsync-prod-eu-2.theirs"},
			"spec":     apitest.Object{"request": alice, "username": "bob"}, "status": apitest.Object{},
		},
		request("late", "2026-01-02T00:00:03Z", alice, apitest.Object{}),
		request("b", "2026-01-02T00:00:01Z", alice, condition("Approved")),
		request("a", "2026-01-02T00:00:01Z", []byte("junk"), condition("Denied")),
		request("issued", "2026-01-02T00:00:01Z", alice, apitest.Object{"certificate": []byte("chain")}),
		request("c", "2026-01-02T00:00:02Z", apitest.PEM("CERTIFICATE REQUEST", []byte("junk")), condition("Approved", "Failed")))
	s.Begin()
	got, more, err := List(t.Context(), serverOf(t, s), "prod-eu")
	if err != nil || more != 0 {
		t.Fatal(more, err)
	}
	at := func(second int) time.Time { return time.Date(2026, 1, 2, 0, 0, second, 0, time.UTC) }
	want := []reconcile.Request{
		{Name: "certsync-prod-eu.a", RequestedBy: "bob", CreatedAt: at(1), State: "denied", Reason: "DeniedReason", Message: "Denied message"},
		{Name: "certsync-prod-eu.b", User: "alice", RequestedBy: "bob", CreatedAt: at(1), State: "approved", Reason: "ApprovedReason", Message: "Approved message"},
		{Name: "certsync-prod-eu.c", RequestedBy: "bob", CreatedAt: at(2), State: "failed", Reason: "FailedReason", Message: "Failed message"},
		{Name: "certsync-prod-eu.late", User: "alice", RequestedBy: "bob", CreatedAt: at(3), State: "pending"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if q := s.Called("GET " + csrPath)[0].Query.Get("fieldSelector"); q != "spec.signerName=kubernetes.io/kube-apiserver-client" {
		t.Errorf("selected by %q", q)
	}
}

// TestRequestsWithoutEnd: nobody prevents a plan by creating signing requests. List returns the first ones, and that there are
// more.
func TestRequestsWithoutEnd(t *testing.T) {
	page := certificatesv1.CertificateSigningRequestList{ListMeta: metav1.ListMeta{ResourceVersion: "1", Continue: "more"}}
	for n := range 50 {
		page.Items = append(page.Items, certificatesv1.CertificateSigningRequest{ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprintf("certsync-prod-eu.r%d", n), Annotations: map[string]string{"a": strings.Repeat("x", 200<<10)}}})
	}
	body := apitest.Protobuf(t, &page)
	s := apitest.New(t)
	s.Routes["GET "+csrPath] = func(w http.ResponseWriter, _ *http.Request) { apitest.ReplyProtobuf(w, body) }
	s.Begin()
	all, more, err := List(t.Context(), serverOf(t, s), "prod-eu")
	if err != nil || len(all) != maxRequests || more == 0 {
		t.Errorf("%d requests and %d more: %v", len(all), more, err)
	}
}
