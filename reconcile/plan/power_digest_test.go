package plan_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/plan"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestDigestCoversPower: a role that is widened after the review is another plan wherever the plan gives it, by a binding or
// by a certificate whose user has it already.
func TestDigestCoversPower(t *testing.T) {
	const before = `
groups: [{name: devs, clusterRoles: [group-role], namespaces: {kube-system: [system-role], staging: [staging-role]}}]
users: [{name: alice, groups: [devs], clusterRoles: [own-role]}, {name: bob, groups: [devs]}, {name: carol, clusterRoles: [other-role]}]
`
	roles := []string{"group-role", "system-role", "staging-role", "own-role", "other-role", "new-role"}
	all := []string{"group-role", "own-role", "system-role"}
	for sentence, c := range map[string]struct {
		text    string // of the new inventory
		own     bool   // alice has a key of her own from now on
		lost    string // whose credential is gone
		covered []string
	}{
		"everybody is new":              {text: before, covered: append([]string{"other-role"}, all...)},
		"a role more":                   {text: strings.Replace(before, "[own-role]", "[own-role, new-role]", 1), covered: []string{"new-role"}},
		"a role that is not there yet":  {text: strings.Replace(before, "[own-role]", "[own-role, missing-role]", 1), covered: []string{"missing-role"}},
		"a member more":                 {text: strings.Replace(before, "carol,", "carol, groups: [devs],", 1), covered: []string{"group-role", "other-role", "system-role"}},
		"a member less":                 {text: strings.Replace(before, "bob, groups: [devs]", "bob", 1), covered: nil},
		"a role less":                   {text: strings.Replace(before, ", clusterRoles: [own-role]", "", 1), covered: nil},
		"somebody leaves":               {text: strings.Replace(before, ", {name: carol, clusterRoles: [other-role]}", "", 1), covered: nil},
		"another key for what they had": {text: before, own: true, covered: all},
		"a credential that is lost":     {text: before, lost: "alice", covered: all},
		"a credential of somebody else": {text: before, lost: "bob", covered: []string{"group-role", "system-role"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			w.Roles, w.Spaces = map[string]bool{}, map[string]bool{"kube-system": true, "staging": true}
			for _, r := range roles {
				w.Roles[r] = true
			}
			inv := reconciletest.Parse(t, c.text)
			if sentence != "everybody is new" {
				w.MustApply(reconciletest.Parse(t, before))
			}
			if c.own {
				inv = reconciletest.WithOwnKey(t, inv, "alice", "one")
			}
			delete(w.Users, c.lost)
			covered := coveredBy(t, inv, w.Observed(), roles)
			if diff := cmp.Diff(reconcile.SortedSet(c.covered), reconcile.SortedSet(covered)); diff != "" {
				t.Errorf("roles whose widening is another plan: %s", diff)
			}
		})
	}
}

// coveredBy lists the roles whose widening changes a plan's digest, and missing-role if its making does, as wide as can be.
func coveredBy(t *testing.T, inv *inventory.Inventory, o reconcile.Observed, roles []string) []string {
	o.Rules = map[reconcile.Role][]reconcile.Rule{}
	for _, r := range roles {
		o.Rules[reconcile.Role{Name: r}] = []reconcile.Rule{reconciletest.Rule("get", "", "configmaps")}
	}
	rules := reconcile.Rules{MaxRemovals: reconciletest.Limit(t, "9")}
	digest := plan.Diff(inv, o, rules).Digest()
	var covered []string
	for _, r := range append([]string{"missing-role"}, roles...) {
		harmless, there := o.Rules[reconcile.Role{Name: r}]
		o.Rules[reconcile.Role{Name: r}] = []reconcile.Rule{reconciletest.Rule("*", "*", "*")}
		if plan.Diff(inv, o, rules).Digest() != digest {
			covered = append(covered, r)
		}
		if o.Rules[reconcile.Role{Name: r}] = harmless; !there {
			delete(o.Rules, reconcile.Role{Name: r})
		}
	}
	return covered
}

// TestDigestCoversMorePower: a role that is as good as cluster-admin already, and becomes so in one more way, is another plan.
func TestDigestCoversMorePower(t *testing.T) {
	w := reconciletest.NewWorld(t)
	inv := reconciletest.Parse(t, "users: [{name: alice, clusterRoles: [ops]}]")
	digest := func(rules ...reconcile.Rule) string {
		o := w.Observed()
		o.ClusterRoles, o.Rules = map[string]bool{"ops": true}, map[reconcile.Role][]reconcile.Rule{{Name: "ops"}: rules}
		return plan.Diff(inv, o, reconcile.Rules{}).Digest()
	}
	secrets, signers, configmaps := reconciletest.Rule("get", "", "secrets"), reconciletest.Rule("approve", "certificates.k8s.io", "signers"), reconciletest.Rule("get", "", "configmaps")
	reviewed := digest(signers)
	for _, wider := range [][]reconcile.Rule{{signers, secrets}, {reconciletest.Rule("*", "*", "*")}, {reconciletest.Rule("impersonate:user-info", "authentication.k8s.io", "users"), signers}} {
		if digest(wider...) == reviewed {
			t.Errorf("%v is the plan that was reviewed", wider)
		}
	}
	if digest(signers, configmaps) != reviewed {
		t.Error("a rule that makes nobody powerful is another plan")
	}
}

// TestExistingAccessIsPowerful: how strong a role is that a name has by a binding of others is said and part of the digest,
// where certsync reads its rules.
func TestExistingAccessIsPowerful(t *testing.T) {
	w := reconciletest.NewWorld(t)
	inv := reconciletest.Parse(t, "users: [{name: alice}]")
	o := w.Observed()
	serve := func(kind reconcile.BindingKind, namespace, name string, ref reconcile.RoleRef) {
		o.Bindings = append(o.Bindings, reconcile.Binding{Kind: kind, Namespace: namespace, Name: name, RoleRef: ref, Subjects: []reconcile.Subject{reconcile.UserSubject("alice")}})
	}
	serve(reconcile.ClusterRoleBinding, "", "wide", reconcile.RoleRef{Kind: "ClusterRole", Name: "ops"})
	serve(reconcile.RoleBinding, "kube-system", "system", reconcile.RoleRef{Kind: "ClusterRole", Name: "ops"})
	serve(reconcile.RoleBinding, "staging", "staging", reconcile.RoleRef{Kind: "ClusterRole", Name: "ops"})
	serve(reconcile.RoleBinding, "kube-system", "role", reconcile.RoleRef{Kind: "Role", Name: "ops"})
	o.Rules = map[reconcile.Role][]reconcile.Rule{{Name: "ops"}: {}}
	before := plan.Diff(inv, o, reconcile.Rules{})
	o.Rules = map[reconcile.Role][]reconcile.Rule{{Name: "ops"}: {reconciletest.Rule("get", "", "secrets")}}
	plan := plan.Diff(inv, o, reconcile.Rules{})
	if before.Digest() == plan.Digest() {
		t.Error("a role that is widened is the plan that was reviewed")
	}
	for _, n := range plan.Notes {
		powerful := n.Object == "ClusterRoleBinding wide" || n.Object == "RoleBinding kube-system/system"
		if says := strings.HasPrefix(n.Message, "is as good as cluster-admin (may read Secrets, tokens among them): it gives User "); n.Kind == reconcile.ExistingAccess && (says != powerful || len(n.Power) > 0 != powerful) {
			t.Errorf("%s: %s, %q", n.Object, n.Message, n.Power)
		}
	}
}
