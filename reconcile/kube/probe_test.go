package kube

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/preflight"
)

func TestVersion(t *testing.T) {
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		want   string
		err    string
	}{
		"an API server": {answers(http.StatusOK, object{"gitVersion": "v1.36.3"}), "v1.36.3", ""},
		"another server": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }, "",
			"does not answer as an API server does"},
		"an API server that does not know us": {fails(apierrors.NewUnauthorized("Unauthorized")), "", "does not accept this identity"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			s.routes["GET /version"] = tc.answer
			got, err := s.begin().cluster().Version(t.Context())
			if got != tc.want || (err == nil) != (tc.err == "") || err != nil && (!strings.Contains(err.Error(), tc.err) || reconcile.Hint(err) == "") {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestServes(t *testing.T) {
	s := newServer(t)
	s.routes["GET /apis/coordination.k8s.io/v1"] = answers(http.StatusOK, object{"kind": "APIResourceList", "apiVersion": "v1",
		"groupVersion": "coordination.k8s.io/v1", "resources": []object{{"name": "leases"}}})
	s.routes["GET /apis/coordination.k8s.io/v9"] = fails(apierrors.NewNotFound(resource("coordination.k8s.io", ""), ""))
	s.routes["GET /apis/closed/v1"] = fails(apierrors.NewForbidden(resource("closed", ""), "", errors.New("no")))
	c := s.begin().cluster()
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
	lease := func(holder, generation string) http.HandlerFunc {
		return answers(http.StatusOK, object{"kind": "Lease", "apiVersion": "coordination.k8s.io/v1",
			"metadata": object{"name": "certsync-prod-eu", "uid": "u", "resourceVersion": "1", "annotations": object{GenerationAnnotation: generation}},
			"spec":     object{"holderIdentity": holder, "leaseDurationSeconds": 60, "renewTime": time.Now().UTC().Format("2006-01-02T15:04:05.000000Z07:00")}})
	}
	for name, tc := range map[string]struct {
		lease http.HandlerFunc
		want  preflight.LockView
		taken bool
		fails bool
	}{
		"none":               {fails(apierrors.NewNotFound(leaseResource, "certsync-prod-eu")), preflight.LockView{}, false, false},
		"free":               {lease("", "7"), preflight.LockView{Leased: true, Generation: 7}, false, false},
		"held":               {lease("somebody", "7"), preflight.LockView{Leased: true, Generation: 7}, true, false},
		"of no generation":   {lease("", "many"), preflight.LockView{Leased: true}, false, true},
		"not for us to read": {fails(apierrors.NewForbidden(leaseResource, "certsync-prod-eu", errors.New("no"))), preflight.LockView{}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			s.routes["GET "+leasesPath+"/certsync-prod-eu"] = tc.lease
			got, err := s.begin().cluster().LookAtLock(t.Context(), "prod-eu")
			var locked reconcile.Locked
			if errors.As(got.Taken, &locked) != tc.taken || tc.taken && locked.Holder != "somebody" {
				t.Errorf("taken: %v", got.Taken)
			}
			got.Taken = nil
			if diff := cmp.Diff(tc.want, got); diff != "" || (err != nil) != tc.fails {
				t.Errorf("%s%v", diff, err)
			}
		})
	}
}

// TestMayBind: what is sent is a dry run, and a refusal is an answer, which anything else is not.
func TestMayBind(t *testing.T) {
	b := reconcile.Binding{Kind: reconcile.ClusterRoleBinding, Name: "certsync:prod-eu:user:x:view", Owner: "prod-eu",
		RoleRef: reconcile.RoleRef{Kind: "ClusterRole", Name: "view"}, Subjects: []reconcile.Subject{reconcile.UserSubject("x")}}
	const rules = "user is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"\"], Verbs:[\"get\"]}"
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		why    string
		fails  bool
	}{
		"yes": {answers(http.StatusCreated, object{"kind": "ClusterRoleBinding", "apiVersion": "rbac.authorization.k8s.io/v1", "metadata": object{"name": b.Name}}), "", false},
		"not all rules are held": {fails(apierrors.NewForbidden(resource("rbac.authorization.k8s.io", "clusterrolebindings"), b.Name, errors.New(rules))),
			"RBAC permissions not currently held", false},
		"a webhook takes no dry runs": {fails(apierrors.NewBadRequest("admission webhook does not support dry run")), "", true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			s.routes["POST "+rbacPath+"/clusterrolebindings"] = tc.answer
			why, err := s.begin().cluster().MayBind(t.Context(), b)
			if (tc.why == "") != (why == "") || !strings.Contains(why, tc.why) || strings.Contains(why, "Verbs") || (err != nil) != tc.fails {
				t.Errorf("%q, %v", why, err)
			}
			for _, c := range s.called("POST") {
				if c.query.Get("dryRun") != "All" {
					t.Errorf("sent %s?%s", c, c.query.Encode())
				}
			}
		})
	}
}

// TestDeleteRequest: no other object than the one that was issued is deleted.
func TestDeleteRequest(t *testing.T) {
	s := newServer(t)
	s.routes["DELETE "+csrPath+"/certsync-abc"] = answers(http.StatusOK, object{"kind": "Status", "apiVersion": "v1", "status": "Success"})
	s.routes["DELETE "+csrPath+"/certsync-gone"] = fails(apierrors.NewNotFound(csrResource, "certsync-gone"))
	s.routes["DELETE "+csrPath+"/certsync-other"] = fails(apierrors.NewConflict(csrResource, "certsync-other", errors.New("uid")))
	i := s.begin().cluster().Issuer(IssuerOptions{})
	defer i.Close()
	for name, fails := range map[string]bool{"certsync-abc": false, "certsync-gone": false, "certsync-other": true} {
		if err := i.DeleteRequest(t.Context(), reconcile.CSRRef{Name: name, UID: "the-uid"}); (err != nil) != fails {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, c := range s.called("DELETE") {
		if !strings.Contains(c.body, "the-uid") {
			t.Errorf("%s without a precondition: %s", c, c.body)
		}
	}
}
