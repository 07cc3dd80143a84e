package reconcile

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory"
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
			w := newWorld(t)
			w.roles, w.spaces = map[string]bool{}, map[string]bool{"kube-system": true, "staging": true}
			for _, r := range roles {
				w.roles[r] = true
			}
			inv := parse(t, c.text)
			if sentence != "everybody is new" {
				w.mustApply(parse(t, before))
			}
			if c.own {
				inv = withOwnKey(t, inv, "alice", "one")
			}
			delete(w.users, c.lost)
			covered := coveredBy(t, inv, w.observed(), roles)
			if diff := cmp.Diff(sortedSet(c.covered), sortedSet(covered)); diff != "" {
				t.Errorf("roles whose widening is another plan: %s", diff)
			}
		})
	}
}

// coveredBy lists the roles whose widening changes a plan's digest, and missing-role if its making does, as wide as can be.
func coveredBy(t *testing.T, inv *inventory.Inventory, o Observed, roles []string) []string {
	o.Powers = map[string]Power{}
	for _, r := range roles {
		o.Powers[r] = PowerOf([]Rule{rule("get", "", "configmaps")})
	}
	rules := Rules{MaxRemovals: limit(t, "9")}
	digest := Diff(inv, o, rules).Digest()
	var covered []string
	for _, r := range append([]string{"missing-role"}, roles...) {
		harmless, there := o.Powers[r]
		o.Powers[r] = PowerOf([]Rule{rule("*", "*", "*")})
		if Diff(inv, o, rules).Digest() != digest {
			covered = append(covered, r)
		}
		if o.Powers[r] = harmless; !there {
			delete(o.Powers, r)
		}
	}
	return covered
}

// TestDigestCoversMorePower: a role that is as good as cluster-admin already, and becomes so in one more way, is another plan.
func TestDigestCoversMorePower(t *testing.T) {
	w := newWorld(t)
	inv := parse(t, "users: [{name: alice, clusterRoles: [ops]}]")
	digest := func(rules ...Rule) string {
		o := w.observed()
		o.ClusterRoles, o.Powers = map[string]bool{"ops": true}, map[string]Power{"ops": PowerOf(rules)}
		return Diff(inv, o, Rules{}).Digest()
	}
	secrets, signers, configmaps := rule("get", "", "secrets"), rule("approve", "certificates.k8s.io", "signers"), rule("get", "", "configmaps")
	reviewed := digest(signers)
	for _, wider := range [][]Rule{{signers, secrets}, {rule("*", "*", "*")}, {rule("impersonate:user-info", "authentication.k8s.io", "users"), signers}} {
		if digest(wider...) == reviewed {
			t.Errorf("%v is the plan that was reviewed", wider)
		}
	}
	if digest(signers, configmaps) != reviewed {
		t.Error("a rule that makes nobody powerful is another plan")
	}
}

// TestAdoptionIsPowerful: somebody else's subjects become certsync's own by an update that adds none.
func TestAdoptionIsPowerful(t *testing.T) {
	w := newWorld(t)
	inv := parse(t, "groups: [{name: devs, clusterRoles: [admin]}]\nusers: [{name: alice, groups: [devs]}]")
	w.mustApply(inv)
	name := "ClusterRoleBinding certsync:test:group:devs:admin"
	b := w.bindings[name]
	b.Owner = ""
	w.bindings[name] = b
	o := w.observed()
	rules := Rules{Adopt: []string{strings.Replace(name, " ", "/", 1)}}
	o.Powers = map[string]Power{"admin": {}}
	before := Diff(inv, o, rules)
	o.Powers = map[string]Power{"admin": PowerOf([]Rule{rule("*", "*", "*")})}
	plan := Diff(inv, o, rules)
	if len(plan.Steps) != 1 || plan.Steps[0].Reason != Adopted || plan.Powerful(plan.Steps[0]) != "may do everything" {
		t.Errorf("%q", lines(plan))
	}
	if before.Digest() == plan.Digest() {
		t.Error("a role that is widened is the plan that was reviewed")
	}
}

// TestExistingAccessIsPowerful: how strong a role is that a name has by a binding of others is said and part of the digest,
// where certsync reads its rules.
func TestExistingAccessIsPowerful(t *testing.T) {
	w := newWorld(t)
	inv := parse(t, "users: [{name: alice}]")
	o := w.observed()
	serve := func(kind BindingKind, namespace, name string, ref RoleRef) {
		o.Bindings = append(o.Bindings, Binding{Kind: kind, Namespace: namespace, Name: name, RoleRef: ref, Subjects: []Subject{UserSubject("alice")}})
	}
	serve(ClusterRoleBinding, "", "wide", RoleRef{"ClusterRole", "ops"})
	serve(RoleBinding, "kube-system", "system", RoleRef{"ClusterRole", "ops"})
	serve(RoleBinding, "staging", "staging", RoleRef{"ClusterRole", "ops"})
	serve(RoleBinding, "kube-system", "role", RoleRef{"Role", "ops"})
	o.Powers = map[string]Power{"ops": {}}
	before := Diff(inv, o, Rules{})
	o.Powers = map[string]Power{"ops": PowerOf([]Rule{rule("get", "", "secrets")})}
	plan := Diff(inv, o, Rules{})
	if before.Digest() == plan.Digest() {
		t.Error("a role that is widened is the plan that was reviewed")
	}
	for _, n := range plan.Notes {
		powerful := n.Object == "ClusterRoleBinding wide" || n.Object == "RoleBinding kube-system/system"
		if says := strings.HasPrefix(n.Message, "is as good as cluster-admin (may read Secrets, tokens among them): it gives User "); n.Kind == ExistingAccess && (says != powerful || len(n.Power) > 0 != powerful) {
			t.Errorf("%s: %s, %q", n.Object, n.Message, n.Power)
		}
	}
}
