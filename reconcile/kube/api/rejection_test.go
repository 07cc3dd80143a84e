package api

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/apitest"
)

// TestRejectionOf: each author of a refusal is told apart by its message, and only RBAC's is answered with a right.
func TestRejectionOf(t *testing.T) {
	roleBindings := apitest.Resource("rbac.authorization.k8s.io", "rolebindings")
	forbidden := func(reason string) error {
		return apierrors.NewForbidden(roleBindings, "certsync:prod-eu:user:alice:view", errors.New(reason))
	}
	webhook := func(code int32, message string) error {
		return &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: code, Message: message}}
	}
	const mayNot = `User "system:serviceaccount:certsync:certsync" cannot create resource "rolebindings" in API group "rbac.authorization.k8s.io" in the namespace "payments"`
	for name, tt := range map[string]struct {
		err  error
		by   Rejecter
		hint string // begins with it
	}{
		"RBAC: a right is missing": {forbidden(mayNot), ByRBAC, grant},
		"RBAC: cluster-wide": {forbidden(`User "bot" cannot list resource "clusterroles" in API group "rbac.authorization.k8s.io" at the cluster scope`),
			ByRBAC, grant},
		"RBAC: a path":                       {forbidden(`User "bot" cannot get path "/version"`), ByRBAC, grant},
		"RBAC: a binding's role is missing":  {forbidden(mayNot + `: RBAC: clusterrole.rbac.authorization.k8s.io "certsync" not found`), ByRBAC, grant},
		"RBAC: named by a recent API server": {forbidden(mayNot + `: my-rbac: RBAC: role.rbac.authorization.k8s.io "x" not found`), ByRBAC, grant},
		"RBAC: a role that is not held": {forbidden(`user "bot" (groups=["x" "y"]) is attempting to grant RBAC permissions not currently held:` + "\n{...}"),
			ByEscalationCheck, "grant the verb bind on the role"},
		"RBAC: an approval": {forbidden(`user not permitted to approve requests with signerName "kubernetes.io/kube-apiserver-client"`), ByRBAC, grant},
		"a validating policy": {forbidden(`ValidatingAdmissionPolicy 'no-users' with binding 'everywhere' denied request: no`),
			ByAdmission, `ValidatingAdmissionPolicy "no-users" denies it: let it allow`},
		"a validating policy without a binding": {forbidden(`ValidatingAdmissionPolicy 'no-users' denied request: no`),
			ByAdmission, `ValidatingAdmissionPolicy "no-users" denies it: let it allow`},
		"a policy that fails": {webhook(422, `policy 'mutate' with binding 'everywhere' denied request: failed to configure binding: no parameters`),
			ByAdmission, `admission policy "mutate" fails or denies it: let it allow`},
		"a webhook": {webhook(403, `admission webhook "objects.hnc.x-k8s.io" denied the request: Cannot delete object propagated from namespace "team"`),
			ByAdmission, `admission webhook "objects.hnc.x-k8s.io" denies it: let it allow`},
		"a webhook without a reason": {webhook(400, `admission webhook "validate.kyverno.svc-fail" denied the request without explanation`),
			ByAdmission, `admission webhook "validate.kyverno.svc-fail" denies it`},
		"a webhook that repeats RBAC's words": {webhook(403, `admission webhook "rancherauth.cattle.io" denied the request: user "bot" (groups=["x"]) is attempting to grant RBAC permissions not currently held`),
			ByAdmission, `admission webhook "rancherauth.cattle.io" denies it`},
		"a webhook that does not answer": {apierrors.NewInternalError(errors.New(`failed calling webhook "validation.gatekeeper.sh": failed to call webhook: Post "https://x": no endpoints available`)),
			ByAdmission, `admission webhook "validation.gatekeeper.sh" does not answer: check its service`},
		"a webhook that takes no dry run": {apierrors.NewBadRequest(`admission webhook "side.example.com" does not support dry run`),
			ByAdmission, `admission webhook "side.example.com" does not support dry run`},
		"a quota that is used up": {forbidden(`exceeded quota: objects, requested: count/rolebindings.rbac.authorization.k8s.io=1, used: count/rolebindings.rbac.authorization.k8s.io=0, limited: count/rolebindings.rbac.authorization.k8s.io=0`),
			ByAdmission, `ResourceQuota "objects" does not allow it: raise its limit`},
		"a quota that nobody has counted": {forbidden(`status unknown for quota: objects, resources: count/rolebindings.rbac.authorization.k8s.io`),
			ByAdmission, `the objects under ResourceQuota "objects" are not counted yet`},
		"a quota that others use at the same time": {apierrors.NewConflict(apitest.Resource("", "resourcequotas"), "objects", errors.New("the object has been modified")),
			ByAdmission, `others create objects under ResourceQuota "objects" at the same time`},
		"a quota that has to exist": {forbidden(`insufficient quota to consume: count/rolebindings.rbac.authorization.k8s.io`),
			ByAdmission, `create a ResourceQuota`},
		"OpenShift: a RoleBindingRestriction": {forbidden(`rolebindings to User "alice@example.com" are not allowed in project "payments"`),
			ByAdmission, `a RoleBindingRestriction in project "payments" does not allow these subjects`},
		"OpenShift: several subjects": {forbidden(`[rolebindings to User "alice" are not allowed in project "payments", rolebindings to User "bob" are not allowed in project "payments"]`),
			ByAdmission, `a RoleBindingRestriction in project "payments" does not allow these subjects`},
		"an owner reference that somebody added": {forbidden(`cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: , <nil>`),
			ByAdmission, `find the mutating admission webhook or policy that adds an owner reference`},
		"a namespace that is being deleted": {forbidden(`unable to create new content in namespace payments because it is being terminated`),
			ByAdmission, `the namespace is being deleted`},
		"an API server that starts":        {forbidden(`not yet ready to handle request`), ByAdmission, `the API server has just started`},
		"a plugin that nobody here knows":  {forbidden(`it is Friday`), ByAdmission, `ask the cluster administrator to allow this: an admission plugin denies it, not RBAC`},
		"a cloud's authorizer beside RBAC": {forbidden(mayNot + `: requires one of ["container.roleBindings.create"] permission(s).`), ByAuthorizer, `allow the request in the authorizer that this cluster has beside RBAC`},
		"a managed namespace": {forbidden(mayNot + `: GKE Warden authz [denied by managed-namespaces-limitation]: the namespace "payments" is managed and the request's verb "create" is denied`),
			ByAuthorizer, `allow the request in the authorizer that this cluster has beside RBAC`},
		"RBAC and another authorizer": {forbidden(mayNot + ": azure: User does not have access to the resource in Azure.\nRBAC: RBAC: clusterrole.rbac.authorization.k8s.io \"x\" not found"),
			ByAuthorizer, `allow the request in the authorizer that this cluster has beside RBAC`},
		"an authorizer that does not answer": {apierrors.NewGenericServerResponse(http.StatusInternalServerError, "POST", roleBindings, "x",
			`Internal Server Error: "/apis/rbac.authorization.k8s.io/v1/rolebindings": Post "https://authz.example.com": connection refused`, 0, true),
			ByAuthorizer, `the API server could not decide what this identity may do`},
		"nobody logged in": {forbidden(`User "system:anonymous" cannot create resource "rolebindings" in API group "rbac.authorization.k8s.io" in the namespace "payments"`),
			ByLogin, `the API server saw no credential. Grant nothing to system:anonymous`},
		"a proxy's own 403": {apierrors.NewGenericServerResponse(http.StatusForbidden, "POST", roleBindings, "x", "<html>Blocked</html>", 0, true),
			ByProxy, `find the proxy, load balancer or firewall in front of the API server, and let certsync pass`},
		"a name that reads like a policy's message": {apierrors.NewForbidden(roleBindings,
			`ValidatingAdmissionPolicy 'x' with binding 'y' denied request`, errors.New(mayNot)), ByRBAC, grant},
		"a name that reads like the end of a name": {apierrors.NewForbidden(roleBindings,
			`x" is forbidden: exceeded quota: y, requested`, errors.New(mayNot)), ByRBAC, grant},
		"a user whose name reads like a quota": {forbidden(`User "exceeded quota: y, requested" cannot get path "/version"`), ByRBAC, grant},
		"a conflict":                           {apierrors.NewConflict(roleBindings, "x", errors.New("modified")), NotRejected, ""},
		"a 500 of another kind":                {apierrors.NewInternalError(errors.New("etcdserver: no leader")), NotRejected, ""},
		"no answer":                            {errors.New(`admission webhook "x" denied the request`), NotRejected, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := RejectionOf(fmt.Errorf("wrapped: %w", Brief(tt.err)))
			if got.By != tt.by || !strings.HasPrefix(got.Hint, tt.hint) || tt.hint == "" && got.Hint != "" {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// TestFailedHints: an error text says what the API server said, and the hint fits its author.
func TestFailedHints(t *testing.T) {
	s := &Server{Address: "https://k8s.example.com"}
	leases := schema.GroupResource{Group: "coordination.k8s.io", Resource: "leases"}
	got := map[string]string{}
	for name, err := range map[string]error{
		"quota": apierrors.NewForbidden(leases, "x", errors.New("exceeded quota: q, requested: a")),
		"401":   apierrors.NewUnauthorized("Unauthorized"),
	} {
		failed := s.Failed("doing it", err)
		got[name] = failed.Error() + "\n" + reconcile.Hint(failed)
	}
	want := map[string]string{
		"quota": `doing it: leases.coordination.k8s.io "x" is forbidden: exceeded quota: q, requested: a` + "\n" +
			`ResourceQuota "q" does not allow it: raise its limit for these objects`,
		"401": "doing it: the cluster does not accept this identity: Unauthorized\n" +
			"check the user of the kubeconfig, or the service account's token, with `kubectl auth whoami`. " +
			"A proxy or load balancer that ends TLS drops the client certificate",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
