package plan_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

const withRoles = `
groups: [{name: devs, namespaces: {staging: [edit, {role: edit}, {role: deployer}]}}]
users: [{name: alice, groups: [devs], namespaces: {payments: [{role: deployer, until: 2026-03-03}]}}, {name: bob, groups: [devs]}]
`

// TestRoles: a Role gets bindings of its own beside those of a ClusterRole of the same name, and goes alone.
func TestRoles(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.RoleRules = map[reconcile.Role][]reconcile.Rule{{Namespace: "staging", Name: "deployer"}: {}, {Namespace: "staging", Name: "edit"}: {}, {Name: "deployer"}: {}}
	inv := reconciletest.Parse(t, withRoles)
	p := w.Plan(inv)
	want := []string{
		"issue alice [new-user]", "issue bob [new-user]",
		"bind devs RoleBinding staging/group-role:devs:deployer [roles-changed] +alice +bob",
		"bind devs RoleBinding staging/group-role:devs:edit [roles-changed] +alice +bob",
		"bind devs RoleBinding staging/group:devs:edit [roles-changed] +alice +bob",
		"bind alice RoleBinding payments/user-role:alice:deployer [new-user]",
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(reconciletest.Lines(p)))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"role-missing alice Role payments/deployer", "until-soon alice"}, reconciletest.Kinds(p)); diff != "" {
		t.Error(diff)
	}
	w.MustApply(inv)
	b := w.Bindings["RoleBinding staging/certsync:test:group-role:devs:deployer"]
	if b.RoleRef != (reconcile.RoleRef{Kind: "Role", Name: "deployer"}) {
		t.Errorf("%+v", b)
	}
	if got := reconciletest.Lines(w.Plan(inv)); len(got) > 0 {
		t.Errorf("after apply: %q", got)
	}
	if diff := cmp.Diff([]string{"staging/Role/deployer", "staging/Role/edit", "staging/edit"}, w.State.Grants.Groups["devs"]); diff != "" {
		t.Error(diff)
	}
	w.Changed("RoleBinding staging/certsync:test:group-role:devs:edit", func(b *reconcile.Binding) { b.RoleRef.Kind = "ClusterRole" })
	want = []string{"unbind devs RoleBinding staging/group-role:devs:edit [drifted] -alice -bob", "bind devs RoleBinding staging/group-role:devs:edit [drifted] +alice +bob"}
	if diff := cmp.Diff(want, reconciletest.Lines(w.Plan(inv))); diff != "" {
		t.Error(diff)
	}
	w.MustApply(inv)
	less := reconciletest.Parse(t, strings.Replace(withRoles, "{role: edit}, ", "", 1))
	w.Rules.MaxRemovals = reconciletest.Limit(t, "100%")
	if diff := cmp.Diff([]string{"unbind devs RoleBinding staging/group-role:devs:edit [roles-changed] -alice -bob"}, reconciletest.Lines(w.Plan(less))); diff != "" {
		t.Error(diff)
	}
	w.Rules = reconcile.Rules{Protect: []string{"bob"}}
	if got := w.Plan(less).Guards; len(got) == 0 || got[0] != `would take Role "edit" in namespace "staging" from "bob", a protected user (--protect)` {
		t.Errorf("%q", got)
	}
}

// TestRoleIsNoClusterRole: a ClusterRole that is granted cluster-wide does not stand in for a Role of its name.
func TestRoleIsNoClusterRole(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, "users: [{name: alice, clusterRoles: [view], namespaces: {staging: [{role: view}]}}]"))
	w.Rules = reconcile.Rules{Protect: []string{"alice"}}
	if got := w.Plan(reconciletest.Parse(t, "users: [{name: alice, clusterRoles: [view]}]")).Guards; len(got) != 1 {
		t.Errorf("%q", got)
	}
}

// TestPowerOfRoles: the rules of a Role count where it is, in namespaces that matter.
func TestPowerOfRoles(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.Spaces["kube-system"], w.Spaces["certsync"] = true, true
	exec := []reconcile.Rule{reconciletest.Rule("create", "", "pods/exec")}
	w.RoleRules = map[reconcile.Role][]reconcile.Rule{
		{Namespace: "kube-system", Name: "ops"}: exec, {Namespace: "certsync", Name: "ops"}: {}, {Namespace: "staging", Name: "ops"}: exec, {Name: "ops"}: exec,
	}
	w.Rules.Namespace = "certsync"
	p := w.Plan(reconciletest.Parse(t, "users: [{name: alice, namespaces: {kube-system: [{role: ops}], certsync: [{role: ops}], staging: [{role: ops}]}}]"))
	got := map[string][]string{}
	for _, s := range p.Steps {
		got[s.Object()] = s.Power
	}
	runs := []string{"may run anything as a service account of the cluster's"}
	want := map[string][]string{
		"": runs, "RoleBinding kube-system/certsync:test:user-role:alice:ops": runs,
		"RoleBinding certsync/certsync:test:user-role:alice:ops": {}, "RoleBinding staging/certsync:test:user-role:alice:ops": {},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !slices.ContainsFunc(p.Notes, func(n reconcile.Note) bool {
		return n.Kind == reconcile.OwnNamespace && strings.HasPrefix(n.Message, `is granted Role "ops" in namespace "certsync": `)
	}) {
		t.Errorf("%+v", p.Notes)
	}
}
