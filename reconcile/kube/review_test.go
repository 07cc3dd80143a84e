package kube

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/apitest"
)

const (
	accessPath = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
	whoPath    = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
)

// whoIs answers a SelfSubjectReview.
func whoIs(name string, groups ...string) object {
	return object{
		"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview",
		"status": object{"userInfo": object{"username": name, "groups": groups}},
	}
}

func TestDeniedAsksAboutEach(t *testing.T) {
	s := apitest.New(t)
	s.Before = func(w http.ResponseWriter, _ *http.Request, c apitest.Call) bool {
		review, err := apitest.Decode[*authorizationv1.SelfSubjectAccessReview](c.Body)
		if err != nil {
			t.Errorf("decoding: %v", err)
			return false
		}
		review.APIVersion, review.Kind = "authorization.k8s.io/v1", "SelfSubjectAccessReview"
		a := review.Spec.ResourceAttributes
		review.Status.Allowed = a.Verb != "bind" || strings.HasSuffix(a.Name, "0")
		review.Status.EvaluationError = "some role does not exist"
		apitest.Reply(w, http.StatusCreated, review)
		return true
	}
	s.Begin()
	approve := reconcile.Permission{Verb: "approve", Group: "certificates.k8s.io", Resource: "signers", Name: "kubernetes.io/kube-apiserver-client"}
	want := []reconcile.Permission{approve,
		{Verb: "update", Group: "certificates.k8s.io", Resource: "certificatesigningrequests", Subresource: "approval"}}
	var denied []reconcile.Permission
	for n := range 50 {
		p := reconcile.Permission{Verb: "bind", Group: "rbac.authorization.k8s.io", Resource: "clusterroles", Name: fmt.Sprintf("role-%02d", n)}
		want = append(want, p)
		if n%10 != 0 {
			denied = append(denied, p)
		}
	}
	got, err := connect(t, s).Denied(t.Context(), want)
	if diff := cmp.Diff(denied, got); diff != "" || err != nil {
		t.Errorf("error %v, diff %s", err, diff)
	}
	if n := len(s.Called("POST " + accessPath)); n != 52 {
		t.Errorf("%d reviews", n)
	}
}

func TestDeniedFailsWithoutAnAnswer(t *testing.T) {
	s := apitest.New(t)
	s.Routes["POST "+accessPath] = apitest.Fails(apierrors.NewUnauthorized("Unauthorized"))
	s.Begin()
	_, err := connect(t, s).Denied(t.Context(), []reconcile.Permission{{Verb: "update", Resource: "x", Subresource: "approval"}})
	if err == nil || !strings.Contains(err.Error(), "asking whether certsync may update x/approval: the cluster does not accept this identity") {
		t.Errorf("error is %v", err)
	}
}

func TestWhoAmI(t *testing.T) {
	s := apitest.New(t)
	s.Routes["POST "+whoPath] = apitest.Answers(http.StatusCreated, whoIs("bot", "a", "b"))
	s.Begin()
	got, err := connect(t, s).WhoAmI(t.Context())
	if diff := cmp.Diff(reconcile.Identity{Name: "bot", Groups: []string{"a", "b"}}, got); diff != "" || err != nil {
		t.Errorf("error %v, diff %s", err, diff)
	}
}
