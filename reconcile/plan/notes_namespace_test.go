package plan_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/plan"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestOwnNamespace: who gets something where certsync's job runs, or where its lock is, is noted, each once.
func TestOwnNamespace(t *testing.T) {
	w := reconciletest.NewWorld(t)
	bound := func(namespace, name string, subjects ...reconcile.Subject) reconcile.Binding {
		return reconcile.Binding{Kind: reconcile.RoleBinding, Namespace: namespace, Name: name, RoleRef: reconcile.RoleRef{Kind: "Role", Name: "r"}, Subjects: subjects, UID: name, ResourceVersion: "1"}
	}
	group := func(name string) reconcile.Subject {
		return reconcile.Subject{Kind: "Group", APIGroup: reconcile.RBACGroup, Name: name}
	}
	account := reconcile.Subject{Kind: "ServiceAccount", Name: "x", Namespace: "access"}
	o, err := reconcile.Observe(t.Context(), "test", w, w, func() time.Time { return w.Now })
	if err != nil {
		t.Fatal(err)
	}
	o.Bindings = append(o.Bindings,
		bound("access", "people", account, group("staff")),
		bound("access", "anybody", group("system:authenticated")),
		bound("access", "theirs", account, group("system:nodes"), reconcile.UserSubject("system:kube-scheduler"),
			group("system:serviceaccounts:access"), reconcile.UserSubject("system:serviceaccount:access:x")),
		bound("access", "robot", account, reconcile.Subject{Kind: "ServiceAccount", Name: "ci", Namespace: "dev"}),
		bound("access", "robot-as-user", reconcile.UserSubject("system:serviceaccount:dev:ci")),
		bound("access", "robots", group("system:serviceaccounts")),
		bound("access", "robots-of-dev", group("system:serviceaccounts:dev")),
		bound("access", "strangers", reconcile.UserSubject("system:anonymous")),
		bound("locks", "people", group("staff")),
		bound("locks", "leader-election", reconcile.Subject{Kind: "ServiceAccount", Name: "x", Namespace: "vendor"}),
		bound("elsewhere", "people", group("staff")))
	inv := reconciletest.Parse(t, `
groups:
  - {name: devs, clusterRoles: [view, edit], namespaces: {access: [view], locks: [view], staging: [admin]}}
  - {name: empty, namespaces: {access: [admin]}}
users:
  - {name: bob, groups: [devs], clusterRoles: [admin, cluster-admin], namespaces: {access: [{name: old, until: 2001-01-01}]}}
  - {name: gone, until: 2001-01-01, namespaces: {access: [admin]}}
`)
	got := func(r reconcile.Rules) []string {
		notes := []string{}
		for _, n := range plan.Diff(inv, o, r).Notes {
			if n.Kind == reconcile.OwnNamespace {
				notes = append(notes, n.User+"/"+n.Group+" "+n.Object+" "+n.Message)
			}
		}
		return notes
	}
	want := []string{
		`/ RoleBinding access/anybody gives Group "system:authenticated" Role "r" in namespace "access", and is not certsync's: ` + plan.RunsHere,
		`/ RoleBinding access/people gives Group "staff" Role "r" in namespace "access", and is not certsync's: ` + plan.RunsHere,
		`/ RoleBinding access/robot gives ServiceAccount "dev/ci" Role "r" in namespace "access", and is not certsync's: ` + plan.RunsHere,
		`/ RoleBinding access/robot-as-user gives User "system:serviceaccount:dev:ci" Role "r" in namespace "access", and is not certsync's: ` + plan.RunsHere,
		`/ RoleBinding access/robots gives Group "system:serviceaccounts" Role "r" in namespace "access", and is not certsync's: ` + plan.RunsHere,
		`/ RoleBinding access/robots-of-dev gives Group "system:serviceaccounts:dev" Role "r" in namespace "access", and is not certsync's: ` + plan.RunsHere,
		`/ RoleBinding access/strangers gives User "system:anonymous" Role "r" in namespace "access", and is not certsync's: ` + plan.RunsHere,
		`/ RoleBinding locks/people gives Group "staff" Role "r" in namespace "locks", and is not certsync's: ` + plan.LockHere,
		`/devs  is granted ClusterRole "edit" cluster-wide: ` + plan.Anywhere + plan.RunsHere,
		`/devs  is granted ClusterRole "view" in namespace "access": ` + plan.RunsHere,
		`/devs  is granted ClusterRole "view" in namespace "locks": ` + plan.LockHere,
		`bob/  is granted ClusterRole "admin" cluster-wide: ` + plan.Anywhere + plan.RunsHere,
	}
	rules := reconcile.Rules{Namespace: "access", LockNamespace: "locks"}
	if diff := cmp.Diff(want, got(rules)); diff != "" {
		t.Error(diff)
	}
	if notes := got(reconcile.Rules{}); len(notes) > 0 {
		t.Errorf("without a namespace: %q", notes)
	}
	if plan.Diff(inv, o, rules).Digest() != plan.Diff(inv, o, reconcile.Rules{}).Digest() {
		t.Error("the notes are part of the digest")
	}
	// A binding that certsync made itself is told as the grant that it stands for, and not once more.
	ours := bound("access", reconcile.BindingName(inv.Owner, reconcile.Grant{For: reconcile.ForGroup, Subject: "devs", Namespace: "access", Role: "view", Part: 1}), reconcile.UserSubject("bob"))
	ours.ManagedBy, ours.Owner, ours.RoleRef = "certsync", inv.Owner, reconcile.RoleRef{Kind: "ClusterRole", Name: "view"}
	o.Bindings = append(o.Bindings, ours)
	if diff := cmp.Diff(want, got(rules)); diff != "" {
		t.Error(diff)
	}
}

// TestPartlyRead: a namespace of which bindings or Roles were left out is noted, and a Role there is not said to be missing.
func TestPartlyRead(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.RoleRules = map[reconcile.Role][]reconcile.Rule{}
	inv := reconciletest.Parse(t, "users: [{name: dan, namespaces: {staging: [{role: deployer}], payments: [{role: deployer}]}}]\n")
	o := w.Observed()
	o.Partly = map[string]bool{"staging": true}
	want := []string{"namespace-partly-read  Namespace staging", "role-missing dan Role payments/deployer"}
	if diff := cmp.Diff(want, reconciletest.Kinds(plan.Diff(inv, o, reconcile.Rules{}))); diff != "" {
		t.Error(diff)
	}
	for i := range 30 {
		o.Partly[fmt.Sprint(i)] = true
	}
	notes := 0
	for _, n := range plan.Diff(inv, o, reconcile.Rules{}).Notes {
		if n.Kind == reconcile.NamespacePartlyRead {
			notes++
		}
	}
	if notes != 21 {
		t.Errorf("%d notes", notes)
	}
}
