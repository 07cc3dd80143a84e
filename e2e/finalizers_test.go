package e2e

import (
	"strings"
	"testing"
)

// What people make of the inventory in TestFinalizersUnderDeployedRights: all of payments' admins leave, and with them
// their roles, so that the account may not bind these any more.
const (
	guardedInventory = `
groups:
  - {name: devs-OWNER, namespaces: {payments-OWNER: [view]}}
users:
  - {name: alice@OWNER, groups: [devs-OWNER], namespaces: {payments-OWNER: [view]}}
  - {name: carol@OWNER, groups: [devs-OWNER], clusterRoles: [edit], namespaces: {payments-OWNER: [admin]}}
  - {name: dan@OWNER, namespaces: {payments-OWNER: [admin]}}
  - {name: erin@OWNER, namespaces: {payments-OWNER: [admin]}}
`
	deserted = `
groups:
  - {name: devs-OWNER, namespaces: {payments-OWNER: [view]}}
users:
  - {name: alice@OWNER, groups: [devs-OWNER], namespaces: {payments-OWNER: [view]}}
`
)

// TestFinalizersUnderDeployedRights: leavers who are admin of a namespace put finalizers on the bindings there, and delete
// some of them. The deployed account, which may not bind their roles any more, takes them out all the same in its first
// run. What an admission policy keeps it from is one failed step, and the hint names the policy.
func TestFinalizersUnderDeployedRights(t *testing.T) {
	t.Parallel()
	d := newDeployed(t)
	o := d.owner
	payments := "payments-" + o
	d.changed(guardedInventory)
	d.must(0, "apply", "--yes")
	alice, carol, dan, erin := d.userKubeconfig("alice@"+o), d.userKubeconfig("carol@"+o), d.userKubeconfig("dan@"+o), d.userKubeconfig("erin@"+o)
	d.keepFromWriting(d.ownAdmin("erin"))
	d.entrenched(carol, dan)

	d.changed(deserted)
	r := d.must(1, "apply", "--yes", "--max-removals=100%")
	for _, want := range []string{
		"unbind erin@" + o + " RoleBinding " + payments + "/certsync:" + o + ":user:erin@" + o + ":admin: failed", "ValidatingAdmissionPolicy 'keep-" + o + "'", `hint: ValidatingAdmissionPolicy "keep-` + o + `" denies it`,
	} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("%q is not in: %s", want, r.stdout)
		}
	}
	if failed := strings.Count(r.stdout, ": failed"); failed != 2 { // her removal waits for it
		t.Errorf("%d steps failed: %s", failed, r.stdout)
	}
	d.forbidden(carol, "get", "secrets", "-n", payments)
	d.forbidden(carol, "get", "pods", "-A")
	d.forbidden(dan, "get", "secrets", "-n", payments)
	d.allowed(erin, "get", "secrets", "-n", payments)
	d.allowed(alice, "get", "pods", "-n", payments)
	for _, binding := range []string{"group:devs-" + o + ":view", "user:alice@" + o + ":view"} {
		left := d.kubectl("get", "rolebinding", "-n", payments, "certsync:"+o+":"+binding, "-o",
			"jsonpath={.metadata.deletionTimestamp}{.metadata.finalizers}{.roleRef.name} for {.subjects[*].name}")
		if left != "view for alice@"+o {
			t.Errorf("%s: %s", binding, left)
		}
	}

	d.kubectl("delete", "validatingadmissionpolicybinding", "keep-"+o)
	d.eventually("the end of the policy", func() bool { return d.released(d.ownAdmin("erin")) == nil })
	d.must(0, "apply", "--yes", "--max-removals=100%")
	d.forbidden(erin, "get", "secrets", "-n", payments)
	if left := d.kubectl("get", "rolebindings", "-n", payments, "-o", "name"); strings.Count(left, "certsync:"+o+":") != 2 {
		t.Errorf("left: %s", left)
	}
	if p := d.plan(); p.Changes {
		t.Errorf("plan: %q, %v", p.steps(), p.Notes)
	}
}

// ownAdmin names the binding by which a user is admin of payments.
func (d *deployed) ownAdmin(user string) string {
	return "certsync:" + d.owner + ":user:" + user + "@" + d.owner + ":admin"
}

// entrenched is what carol and dan do in their namespace before they leave.
func (d *deployed) entrenched(carol, dan string) {
	d.Helper()
	o, namespace := d.owner, "payments-"+d.owner
	group := "certsync:" + o + ":group:devs-" + o + ":view"
	keep := `--patch={"metadata":{"finalizers":["example.com/keep","foregroundDeletion"]}}`
	as := func(kubeconfig string, args ...string) {
		d.Helper()
		if _, err := d.tryKubectl(kubeconfig, args...); err != nil {
			d.Fatal(err)
		}
	}
	for _, binding := range []string{d.ownAdmin("carol"), d.ownAdmin("dan"), d.ownAdmin("erin"), group} {
		as(carol, "patch", "rolebinding", "-n", namespace, binding, "--type=merge", keep)
	}
	d.kubectl("patch", "clusterrolebinding", "certsync:"+o+":user:carol@"+o+":edit", "--type=merge", keep)
	as(dan, "delete", "rolebinding", "-n", namespace, d.ownAdmin("dan"), group, "--wait=false")
	// What stands in the place of alice's own binding gives dan another role.
	hers := "certsync:" + o + ":user:alice@" + o + ":view"
	as(dan, "delete", "rolebinding", "-n", namespace, hers)
	as(dan, "create", "rolebinding", "-n", namespace, hers, "--clusterrole=edit", "--user=dan@"+o)
	as(dan, "label", "rolebinding", "-n", namespace, hers, "app.kubernetes.io/managed-by=certsync", "certsync.dev/owner="+o)
	as(dan, "patch", "rolebinding", "-n", namespace, hers, "--type=merge", keep)
}

// keepFromWriting has an admission policy deny everybody every update that leaves a RoleBinding without finalizers, and
// waits until the API server enforces it.
func (d *deployed) keepFromWriting(binding string) {
	d.Helper()
	d.apply(`{apiVersion: v1, kind: List, items: [
{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicy, metadata: {name: keep-OWNER}, spec: {
  matchConstraints: {resourceRules: [{apiGroups: [rbac.authorization.k8s.io], apiVersions: [v1], resources: [rolebindings], operations: [UPDATE]}]},
  matchConditions: [{name: that-one, expression: "object.metadata.name == '` + binding + `'"}],
  validations: [{expression: "has(object.metadata.finalizers)", reason: Forbidden, message: it is kept}]}},
{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicyBinding, metadata: {name: keep-OWNER}, spec: {policyName: keep-OWNER, validationActions: [Deny]}}]}`)
	d.eventually("the policy", func() bool { return d.released(binding) != nil })
}

// released tries to take the finalizers out of a RoleBinding in payments, without doing it.
func (d *deployed) released(binding string) error {
	_, err := d.tryKubectl(d.kubeconfig, "patch", "rolebinding", "-n", "payments-"+d.owner, binding, "--dry-run=server", "--type=merge",
		`--patch={"metadata":{"finalizers":null,"annotations":{"tried":"yes"}}}`)
	return err
}
