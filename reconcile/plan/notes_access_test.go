package plan_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestWhoseBinding: access that a name has already says whose binding gives it: another owner's, as its name tells, or none of
// certsync's.
func TestWhoseBinding(t *testing.T) {
	for sentence, tt := range map[string]struct {
		name string
		want string
	}{
		"it has any name":               {"x", `gives User "dan" Role "payer" in namespace "payments", and is not certsync's`},
		"it has another owner's name":   {"certsync:other:user:dan:payer", `gives User "dan" Role "payer" in namespace "payments", and is owner "other"'s by its name`},
		"its name is like that of ours": {"certsync:test:dan", `gives User "dan" Role "payer" in namespace "payments", and is not certsync's`},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			w.Bindings["RoleBinding payments/x"] = reconcile.Binding{Kind: reconcile.RoleBinding, Namespace: "payments", Name: tt.name, ManagedBy: reconcile.ManagedByValue, Owner: "test",
				RoleRef: reconcile.RoleRef{Kind: "Role", Name: "payer"}, Subjects: []reconcile.Subject{reconcile.UserSubject("dan")}}
			var got []string
			for _, n := range w.Plan(reconciletest.Parse(t, "users: [{name: dan}]\n")).Notes {
				if n.Kind == reconcile.ExistingAccess {
					got = append(got, n.Message)
				}
			}
			if diff := cmp.Diff([]string{tt.want}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestAccessOfEverybody: what everybody has who is authenticated, a new user has too. Kubernetes' own roles for them are no news.
func TestAccessOfEverybody(t *testing.T) {
	everybody := reconcile.Subject{Kind: "Group", APIGroup: reconcile.RBACGroup, Name: "system:authenticated"}
	w := reconciletest.NewWorld(t)
	for name, role := range map[string]string{"system:discovery": "system:discovery", "open-house": "edit"} {
		w.Plant(reconcile.Binding{Kind: reconcile.ClusterRoleBinding, Name: name, RoleRef: reconcile.RoleRef{Kind: "ClusterRole", Name: role}, Subjects: []reconcile.Subject{everybody}})
	}
	inv := reconciletest.Parse(t, "users: [{name: dan}]\n")
	want := []string{"existing-access system:authenticated ClusterRoleBinding open-house"}
	if diff := cmp.Diff(want, reconciletest.Kinds(w.Plan(inv))); diff != "" {
		t.Error(diff)
	}
	w.MustApply(inv)
	if diff := cmp.Diff(want, reconciletest.Kinds(w.Plan(inv))); diff != "" { // "edit" is strong
		t.Errorf("with nothing to do: %s", diff)
	}
}

// TestStrongAccessOfEverybody: a role that makes everybody as good as cluster-admin is noted in any plan, also where nothing is to
// be done. A weak one is noted where it tells a reviewer something about a new certificate.
func TestStrongAccessOfEverybody(t *testing.T) {
	for subject, kind := range map[string]string{"system:authenticated": "Group", "system:unauthenticated": "Group", "system:anonymous": "User"} {
		w := reconciletest.NewWorld(t)
		w.RoleRules = map[reconcile.Role][]reconcile.Rule{{Name: "root"}: {reconciletest.Rule("*", "*", "*")}, {Name: "weak"}: {reconciletest.Rule("get", "", "pods")}}
		for _, role := range []string{"root", "weak"} {
			w.Plant(reconcile.Binding{Kind: reconcile.ClusterRoleBinding, Name: "open-" + role, RoleRef: reconcile.RoleRef{Kind: "ClusterRole", Name: role},
				Subjects: []reconcile.Subject{{Kind: kind, APIGroup: reconcile.RBACGroup, Name: subject}}})
		}
		inv := reconciletest.Parse(t, "users: [{name: dan}]\n")
		w.MustApply(inv)
		p := w.Plan(inv)
		want := []string{"existing-access " + subject + " ClusterRoleBinding open-root"}
		if diff := cmp.Diff(want, reconciletest.Kinds(p)); diff != "" || p.Changes() {
			t.Errorf("%s: changes %t, %s", subject, p.Changes(), diff)
		}
	}
}

// TestPowerOfARole: a Role counts by its rules as a ClusterRole does, in the namespaces that matter.
func TestPowerOfARole(t *testing.T) {
	for namespace, want := range map[string][]string{"kube-system": {"may read Secrets, tokens among them"}, "payments": nil} {
		w := reconciletest.NewWorld(t)
		w.RoleRules = map[reconcile.Role][]reconcile.Rule{{Namespace: namespace, Name: "reader"}: {reconciletest.Rule("get", "", "secrets")}}
		w.Plant(reconcile.Binding{Kind: reconcile.RoleBinding, Namespace: namespace, Name: "x", RoleRef: reconcile.RoleRef{Kind: "Role", Name: "reader"}, Subjects: []reconcile.Subject{reconcile.UserSubject("dan")}})
		for _, n := range w.Plan(reconciletest.Parse(t, "users: [{name: dan}]\n")).Notes {
			if diff := cmp.Diff(want, n.Power); n.Kind == reconcile.ExistingAccess && diff != "" {
				t.Errorf("%s: %s", namespace, diff)
			}
		}
	}
}
