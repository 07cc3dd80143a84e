package reconcile

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestOwnNamespace: who gets something where certsync's job runs, or where its lock is, is noted, each once.
func TestOwnNamespace(t *testing.T) {
	w := newWorld(t)
	bound := func(namespace, name string, subjects ...Subject) Binding {
		return Binding{Kind: RoleBinding, Namespace: namespace, Name: name, RoleRef: RoleRef{"Role", "r"}, Subjects: subjects, UID: name, ResourceVersion: "1"}
	}
	group := func(name string) Subject { return Subject{Kind: "Group", APIGroup: RBACGroup, Name: name} }
	account := Subject{Kind: "ServiceAccount", Name: "x", Namespace: "access"}
	o, err := Observe(t.Context(), "test", w, w, func() time.Time { return w.now })
	if err != nil {
		t.Fatal(err)
	}
	o.Bindings = append(o.Bindings,
		bound("access", "people", account, group("staff")),
		bound("access", "anybody", group("system:authenticated")),
		bound("access", "theirs", account, group("system:nodes"), UserSubject("system:kube-scheduler"),
			group("system:serviceaccounts:access"), UserSubject("system:serviceaccount:access:x")),
		bound("access", "robot", account, Subject{Kind: "ServiceAccount", Name: "ci", Namespace: "dev"}),
		bound("access", "robot-as-user", UserSubject("system:serviceaccount:dev:ci")),
		bound("access", "robots", group("system:serviceaccounts")),
		bound("access", "robots-of-dev", group("system:serviceaccounts:dev")),
		bound("access", "strangers", UserSubject("system:anonymous")),
		bound("locks", "people", group("staff")),
		bound("locks", "leader-election", Subject{Kind: "ServiceAccount", Name: "x", Namespace: "vendor"}),
		bound("elsewhere", "people", group("staff")))
	inv := parse(t, `
groups:
  - {name: devs, clusterRoles: [view, edit], namespaces: {access: [view], locks: [view], staging: [admin]}}
  - {name: empty, namespaces: {access: [admin]}}
users:
  - {name: bob, groups: [devs], clusterRoles: [admin, cluster-admin], namespaces: {access: [{name: old, until: 2001-01-01}]}}
  - {name: gone, until: 2001-01-01, namespaces: {access: [admin]}}
`)
	got := func(r Rules) []string {
		notes := []string{}
		for _, n := range Diff(inv, o, r).Notes {
			if n.Kind == OwnNamespace {
				notes = append(notes, n.User+"/"+n.Group+" "+n.Object+" "+n.Message)
			}
		}
		return notes
	}
	want := []string{
		`/ RoleBinding access/anybody gives Group "system:authenticated" Role "r" in namespace "access", and is not certsync's: ` + runsHere,
		`/ RoleBinding access/people gives Group "staff" Role "r" in namespace "access", and is not certsync's: ` + runsHere,
		`/ RoleBinding access/robot gives ServiceAccount "dev/ci" Role "r" in namespace "access", and is not certsync's: ` + runsHere,
		`/ RoleBinding access/robot-as-user gives User "system:serviceaccount:dev:ci" Role "r" in namespace "access", and is not certsync's: ` + runsHere,
		`/ RoleBinding access/robots gives Group "system:serviceaccounts" Role "r" in namespace "access", and is not certsync's: ` + runsHere,
		`/ RoleBinding access/robots-of-dev gives Group "system:serviceaccounts:dev" Role "r" in namespace "access", and is not certsync's: ` + runsHere,
		`/ RoleBinding access/strangers gives User "system:anonymous" Role "r" in namespace "access", and is not certsync's: ` + runsHere,
		`/ RoleBinding locks/people gives Group "staff" Role "r" in namespace "locks", and is not certsync's: ` + lockHere,
		`/devs  is to have ClusterRole "edit" cluster-wide: ` + anywhere + runsHere,
		`/devs  is to have ClusterRole "view" in namespace "access": ` + runsHere,
		`/devs  is to have ClusterRole "view" in namespace "locks": ` + lockHere,
		`bob/  is to have ClusterRole "admin" cluster-wide: ` + anywhere + runsHere,
	}
	rules := Rules{Namespace: "access", LockNamespace: "locks"}
	if diff := cmp.Diff(want, got(rules)); diff != "" {
		t.Error(diff)
	}
	if notes := got(Rules{}); len(notes) > 0 {
		t.Errorf("without a namespace: %q", notes)
	}
	if Diff(inv, o, rules).Digest() != Diff(inv, o, Rules{}).Digest() {
		t.Error("the notes are part of the digest")
	}
	// A binding that certsync made itself is told as the grant that it stands for, and not once more.
	ours := bound("access", BindingName(inv.Owner, Grant{ForGroup, "devs", "access", "view", 1}), UserSubject("bob"))
	ours.ManagedBy, ours.Owner, ours.RoleRef = "certsync", inv.Owner, RoleRef{"ClusterRole", "view"}
	o.Bindings = append(o.Bindings, ours)
	if diff := cmp.Diff(want, got(rules)); diff != "" {
		t.Error(diff)
	}
}
