package kube

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/apitest"
	"github.com/certsync/certsync/reconcile/preflight"
)

func TestVersion(t *testing.T) {
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		want   string
		err    string
	}{
		"an API server": {apitest.Answers(http.StatusOK, object{"gitVersion": "v1.36.3"}), "v1.36.3", ""},
		"another server": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }, "",
			"does not answer as an API server does"},
		"an API server that does not know us": {apitest.Fails(apierrors.NewUnauthorized("Unauthorized")), "", "does not accept this identity"},
	} {
		t.Run(name, func(t *testing.T) {
			s := apitest.New(t)
			s.Routes["GET /version"] = tc.answer
			got, err := connect(t, s.Begin()).Version(t.Context())
			if got != tc.want || (err == nil) != (tc.err == "") || err != nil && (!strings.Contains(err.Error(), tc.err) || reconcile.Hint(err) == "") {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestServes(t *testing.T) {
	s := apitest.New(t)
	s.Routes["GET /apis/coordination.k8s.io/v1"] = apitest.Answers(http.StatusOK, object{"kind": "APIResourceList", "apiVersion": "v1",
		"groupVersion": "coordination.k8s.io/v1", "resources": []object{{"name": "leases"}}})
	s.Routes["GET /apis/coordination.k8s.io/v9"] = apitest.Fails(apierrors.NewNotFound(apitest.Resource("coordination.k8s.io", ""), ""))
	s.Routes["GET /apis/closed/v1"] = apitest.Fails(apierrors.NewForbidden(apitest.Resource("closed", ""), "", errors.New("no")))
	c := connect(t, s.Begin())
	for _, tc := range []struct {
		groupVersion, resource string
		want, fails            bool
	}{
		{"coordination.k8s.io/v1", "leases", true, false},
		{"coordination.k8s.io/v1", "leasing", false, false},
		{"coordination.k8s.io/v9", "leases", false, false},
		{"closed/v1", "leases", false, true},
	} {
		if got, err := c.Serves(t.Context(), tc.groupVersion, tc.resource); got != tc.want || (err != nil) != tc.fails {
			t.Errorf("%s in %s: %t, %v", tc.resource, tc.groupVersion, got, err)
		}
	}
}

func TestLookAtLock(t *testing.T) {
	s := observable(t).Begin()
	got, err := connect(t, s).LookAtLock(t.Context(), "prod-eu")
	if got != (preflight.LockView{}) || err != nil || len(s.Called("GET "+leasePath)) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestMayBind: it sends a dry run. A refusal is an answer, and any other error is an error.
func TestMayBind(t *testing.T) {
	b := reconcile.Binding{Kind: reconcile.ClusterRoleBinding, Name: "certsync:prod-eu:user:x:view", Owner: "prod-eu",
		RoleRef: reconcile.RoleRef{Kind: "ClusterRole", Name: "view"}, Subjects: []reconcile.Subject{reconcile.UserSubject("x")}}
	const rules = "user \"bot\" (groups=[\"x\"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Verbs:[\"get\"]}"
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		why    string
		fails  bool
	}{
		"yes": {apitest.Answers(http.StatusCreated, object{"kind": "ClusterRoleBinding", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": object{"name": b.Name}}), "", false},
		"not all rules are held": {apitest.Fails(apierrors.NewForbidden(apitest.Resource("rbac.authorization.k8s.io", "clusterrolebindings"), b.Name, errors.New(rules))),
			"RBAC permissions not currently held", false},
		"an admission policy denies it": {apitest.Fails(apierrors.NewForbidden(apitest.Resource("rbac.authorization.k8s.io", "clusterrolebindings"), b.Name,
			errors.New("ValidatingAdmissionPolicy 'x' with binding 'y' denied request: no"))), "", true},
		"a webhook takes no dry runs": {apitest.Fails(apierrors.NewBadRequest("admission webhook does not support dry run")), "", true},
	} {
		t.Run(name, func(t *testing.T) {
			s := apitest.New(t)
			s.Routes["POST "+rbacPath+"/clusterrolebindings"] = tc.answer
			why, err := connect(t, s.Begin()).MayBind(t.Context(), b)
			if (tc.why == "") != (why == "") || !strings.Contains(why, tc.why) || strings.Contains(why, "Verbs") || (err != nil) != tc.fails {
				t.Errorf("%q, %v", why, err)
			}
			for _, c := range s.Called("POST") {
				if c.Query.Get("dryRun") != "All" {
					t.Errorf("sent %s?%s", c, c.Query.Encode())
				}
			}
		})
	}
}
