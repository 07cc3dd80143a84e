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

// TestTryBinding: it sends a dry run. The error says what refuses the binding, and what to do. That a webhook takes no dry runs is
// told apart: it refuses nothing.
func TestTryBinding(t *testing.T) {
	b := reconcile.Binding{Kind: reconcile.ClusterRoleBinding, Name: "certsync:prod-eu:user:x:view", Owner: "prod-eu",
		RoleRef: reconcile.RoleRef{Kind: "ClusterRole", Name: "view"}, Subjects: []reconcile.Subject{reconcile.UserSubject("x")}}
	const rules = "user \"bot\" (groups=[\"x\"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Verbs:[\"get\"]}"
	bindings := apitest.Resource("rbac.authorization.k8s.io", "clusterrolebindings")
	for name, tc := range map[string]struct {
		answer    http.HandlerFunc
		why, hint string
		noDryRun  bool
	}{
		"yes":                    {answer: apitest.Answers(http.StatusCreated, object{"kind": "ClusterRoleBinding", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": object{"name": b.Name}})},
		"not all rules are held": {apitest.Fails(apierrors.NewForbidden(bindings, b.Name, errors.New(rules))), "RBAC permissions not currently held", "verb bind", false},
		"a webhook takes no dry runs": {apitest.Fails(apierrors.NewBadRequest(`admission webhook "w.example.com" does not support dry run`)),
			`admission webhook "w.example.com" does not support dry run`, "", true},
		"a webhook is down": {apitest.Fails(apierrors.NewInternalError(errors.New(`failed calling webhook "w.example.com": connection refused`))),
			`failed calling webhook "w.example.com"`, `admission webhook "w.example.com" does not answer`, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := apitest.New(t)
			s.Routes["POST "+rbacPath+"/clusterrolebindings"] = tc.answer
			err := connect(t, s.Begin()).TryBinding(t.Context(), b)
			if (tc.why == "") != (err == nil) || errors.Is(err, preflight.ErrNoDryRun) != tc.noDryRun {
				t.Error(err)
			}
			if err != nil && (!strings.Contains(err.Error(), tc.why) || strings.Contains(err.Error(), "Verbs") || !strings.Contains(reconcile.Hint(err), tc.hint)) {
				t.Errorf("%v, hint %q", err, reconcile.Hint(err))
			}
			dryRuns(t, s.Called("POST"))
		})
	}
}

func dryRuns(t *testing.T, calls []apitest.Call) {
	t.Helper()
	if len(calls) == 0 {
		t.Error("nothing was tried")
	}
	for _, c := range calls {
		if c.Query.Get("dryRun") != "All" {
			t.Errorf("sent %s?%s", c, c.Query.Encode())
		}
	}
}

// TestTryLock: a dry run of the write that takes the lock: of the Lease's creation, or of its update.
func TestTryLock(t *testing.T) {
	lease := object{"kind": "Lease", "apiVersion": "coordination.k8s.io/v1",
		"metadata": object{"name": "certsync-prod-eu", "namespace": "kube-system", "uid": "1", "resourceVersion": "7"}}
	leases := apitest.Resource("coordination.k8s.io", "leases")
	missing := apitest.Fails(apierrors.NewNotFound(leases, "certsync-prod-eu"))
	denied := apitest.Fails(apierrors.NewForbidden(leases, "certsync-prod-eu", errors.New(`admission webhook "warden.example.com" denied the request: managed namespace`)))
	for sentence, tc := range map[string]struct {
		read, write http.HandlerFunc
		verb        string
		why         string
	}{
		"there is none":                 {missing, apitest.Answers(http.StatusCreated, lease), "POST", ""},
		"there is one":                  {apitest.Answers(http.StatusOK, lease), apitest.Answers(http.StatusOK, lease), "PUT", ""},
		"it changes meanwhile":          {apitest.Answers(http.StatusOK, lease), apitest.Fails(apierrors.NewConflict(leases, "certsync-prod-eu", errors.New("changed"))), "PUT", ""},
		"a webhook guards kube-system":  {missing, denied, "POST", "managed namespace"},
		"a webhook guards what is made": {apitest.Answers(http.StatusOK, lease), denied, "PUT", "managed namespace"},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := apitest.New(t)
			s.Routes["GET "+leasePath] = tc.read
			s.Routes["PUT "+leasePath] = tc.write
			s.Routes["POST "+strings.TrimSuffix(leasePath, "/certsync-prod-eu")] = tc.write
			err := connect(t, s.Begin()).TryLock(t.Context(), "prod-eu")
			if (tc.why == "") != (err == nil) || err != nil && (!strings.Contains(err.Error(), tc.why) || !strings.Contains(reconcile.Hint(err), "warden.example.com")) {
				t.Errorf("%v, hint %q", err, reconcile.Hint(err))
			}
			dryRuns(t, s.Called(tc.verb))
		})
	}
}
