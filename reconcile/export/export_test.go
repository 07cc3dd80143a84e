package export

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

func groupSubject(name string) reconcile.Subject {
	return reconcile.Subject{Kind: "Group", APIGroup: reconcile.RBACGroup, Name: name}
}

// elsewhere is a binding that certsync did not make: cluster-wide, or in a namespace.
func elsewhere(namespace, role string, subjects ...reconcile.Subject) reconcile.Binding {
	b := reconcile.Binding{Kind: reconcile.ClusterRoleBinding, Namespace: namespace, Name: "b-" + role, RoleRef: reconcile.RoleRef{Kind: "ClusterRole", Name: role}, Subjects: subjects}
	if namespace != "" {
		b.Kind = reconcile.RoleBinding
	}
	return b
}

func TestExportBindings(t *testing.T) {
	ours := func(owner string, g reconcile.Grant, users ...string) reconcile.Binding {
		return reconcile.NewBinding(owner, g, users)
	}
	long := strings.Repeat("x", 65)
	changed := func(b reconcile.Binding, change func(*reconcile.Binding)) reconcile.Binding { change(&b); return b }
	tests := map[string]struct {
		bindings []reconcile.Binding
		want     string   // users, groups and roles of the inventory, a line each
		asGroup  []string // of the result
		uneven   map[string][]string
		left     []LeftOut
	}{
		"nothing": {},
		"a user's roles, each once, in order": {
			bindings: []reconcile.Binding{elsewhere("", "view", reconcile.UserSubject("alice"), reconcile.UserSubject("alice")), elsewhere("", "admin", reconcile.UserSubject("alice")),
				changed(elsewhere("", "view", reconcile.UserSubject("alice")), func(b *reconcile.Binding) { b.Name = "again" }), elsewhere("staging", "edit", reconcile.UserSubject("alice"))},
			want: "alice [] admin view staging/edit",
		},
		"a User with a namespace, which RBAC ignores": {
			bindings: []reconcile.Binding{elsewhere("", "view", reconcile.Subject{Kind: "User", APIGroup: reconcile.RBACGroup, Namespace: "x", Name: "alice"})},
			want:     "alice [] view",
		},
		"a Group, whose members nobody knows": {
			bindings: []reconcile.Binding{elsewhere("", "view", groupSubject("devs"))}, want: "group devs view", asGroup: []string{"devs"},
		},
		"certsync's own, of somebody whose certificates were revoked": {
			bindings: []reconcile.Binding{ours("a", reconcile.Grant{For: reconcile.ForUser, Subject: "alice", Role: "admin", Part: 1}, "alice#2", "alice")},
			want:     "alice [] admin",
		},
		"certsync's own": {
			bindings: []reconcile.Binding{
				ours("a", reconcile.Grant{For: reconcile.ForGroup, Subject: "devs", Role: "view", Part: 1}, "alice"), ours("a", reconcile.Grant{For: reconcile.ForGroup, Subject: "devs", Role: "view", Part: 2}, "bob"),
				ours("a", reconcile.Grant{For: reconcile.ForUser, Subject: "alice", Role: "admin", Part: 1}, "alice"),
			},
			want: "group devs view\nalice [devs] admin\nbob [devs]",
		},
		"those of two owners": {
			bindings: []reconcile.Binding{
				ours("a", reconcile.Grant{For: reconcile.ForGroup, Subject: "devs", Role: "view", Part: 1}, "alice"),
				ours("b", reconcile.Grant{For: reconcile.ForGroup, Subject: "ops", Namespace: "staging", Role: "edit", Part: 1}, "alice"),
			},
			want: "group devs view\ngroup ops staging/edit\nalice [devs ops]",
		},
		"a group of certsync's that is a Group elsewhere": {
			bindings: []reconcile.Binding{ours("a", reconcile.Grant{For: reconcile.ForGroup, Subject: "devs", Role: "view", Part: 1}, "alice"), elsewhere("", "edit", groupSubject("devs"))},
			want:     "group devs edit view\nalice [devs]", asGroup: []string{"devs"},
		},
		"a member in a part of a group's bindings only": {
			bindings: []reconcile.Binding{
				ours("a", reconcile.Grant{For: reconcile.ForGroup, Subject: "devs", Role: "view", Part: 1}, "alice", "bob"), ours("a", reconcile.Grant{For: reconcile.ForGroup, Subject: "devs", Role: "edit", Part: 1}, "bob"),
			},
			want: "group devs edit view\nalice [] view\nbob [devs]", uneven: map[string][]string{"devs": {"alice"}},
		},
		"labels make no difference": {
			bindings: []reconcile.Binding{changed(ours("a", reconcile.Grant{For: reconcile.ForGroup, Subject: "devs", Role: "view", Part: 1}, "alice"), func(b *reconcile.Binding) { b.Owner = "" })},
			want:     "group devs view\nalice [devs]",
		},
		"a tenant makes themselves a member of a group that has more elsewhere": {
			bindings: []reconcile.Binding{
				ours("a", reconcile.Grant{For: reconcile.ForGroup, Subject: "admins", Role: "cluster-admin", Part: 1}, "alice"),
				ours("a", reconcile.Grant{For: reconcile.ForGroup, Subject: "admins", Namespace: "mine", Role: "view", Part: 1}, "tenant"),
			},
			want: "alice [] cluster-admin\ntenant [] mine/view", uneven: map[string][]string{"admins": {"alice", "tenant"}},
		},
		"a tenant makes themselves a member of a Group that has more elsewhere": {
			bindings: []reconcile.Binding{
				elsewhere("", "cluster-admin", groupSubject("admins")),
				ours("a", reconcile.Grant{For: reconcile.ForGroup, Subject: "admins", Namespace: "mine", Role: "view", Part: 1}, "tenant"),
			},
			want: "group admins cluster-admin\ntenant [] mine/view", asGroup: []string{"admins"}, uneven: map[string][]string{"admins": {"tenant"}},
		},
		"Roles of a namespace": {
			bindings: []reconcile.Binding{
				changed(elsewhere("staging", "payer", reconcile.UserSubject("alice"), groupSubject("ops")), func(b *reconcile.Binding) { b.RoleRef.Kind = "Role" }),
				ours("a", reconcile.Grant{For: reconcile.ForGroup, Subject: "devs", Namespace: "staging", RoleKind: reconcile.NamespaceRole, Role: "deployer", Part: 1}, "alice"),
				elsewhere("staging", "view", reconcile.UserSubject("bob")),
				changed(elsewhere("staging", "view", reconcile.UserSubject("bob")), func(b *reconcile.Binding) { b.Name, b.RoleRef.Kind = "other", "Role" }),
			},
			want: "group devs staging/Role/deployer\ngroup ops staging/Role/payer\nalice [devs] staging/Role/payer\nbob [] staging/view staging/Role/view", asGroup: []string{"ops"},
		},
		"certsync's Role under a ClusterRole": {
			bindings: []reconcile.Binding{changed(ours("a", reconcile.Grant{For: reconcile.ForGroup, Subject: "devs", Namespace: "staging", RoleKind: reconcile.NamespaceRole, Role: "view", Part: 1}, "alice"), func(b *reconcile.Binding) { b.RoleRef.Kind = "ClusterRole" })},
			want:     "alice [] staging/view",
		},
		"certsync's binding under another role": {
			bindings: []reconcile.Binding{changed(ours("a", reconcile.Grant{For: reconcile.ForGroup, Subject: "devs", Role: "view", Part: 1}, "alice"), func(b *reconcile.Binding) { b.RoleRef.Name = "edit" })},
			want:     "alice [] edit",
		},
		"certsync's binding with a Group in it": {
			bindings: []reconcile.Binding{changed(ours("a", reconcile.Grant{For: reconcile.ForGroup, Subject: "devs", Role: "view", Part: 1}, "alice"), func(b *reconcile.Binding) { b.Subjects = append(b.Subjects, groupSubject("ops")) })},
			want:     "group devs view\ngroup ops view\nalice [devs]", asGroup: []string{"ops"},
		},
		"what an inventory cannot say": {
			bindings: []reconcile.Binding{
				elsewhere("", "view", groupSubject("system:masters"), reconcile.UserSubject("System:node:x"), reconcile.UserSubject("system:serviceaccount:ci:bot"),
					reconcile.Subject{Kind: "ServiceAccount", Namespace: "ci", Name: "bot"}, reconcile.Subject{Kind: "ServiceAccount", Namespace: "ci", Name: "system:x"},
					reconcile.Subject{Kind: "User", APIGroup: "x", Name: "alice"}, reconcile.Subject{Kind: "Group", Name: "devs"}, reconcile.Subject{Kind: "Robot", APIGroup: reconcile.RBACGroup, Name: "r2"},
					groupSubject("kubeadm:cluster-admins"), reconcile.UserSubject("oidc:alice"), reconcile.UserSubject("a/b"), reconcile.UserSubject(long), reconcile.UserSubject("")),
				elsewhere("", "a#2", reconcile.UserSubject("alice")),
				changed(elsewhere("", "payer", reconcile.UserSubject("alice")), func(b *reconcile.Binding) { b.RoleRef.Kind = "Role" }),
				changed(elsewhere("", "edit", reconcile.UserSubject("alice")), func(b *reconcile.Binding) { b.Terminating = true }),
			},
			left: []LeftOut{
				{ofKubernetes, 3, nil}, {serviceAccounts, 2, nil},
				{unknownSubjects, 3, []string{`User "alice": ClusterRole "view" cluster-wide`, `Group "devs": ClusterRole "view" cluster-wide`, `Robot "r2": ClusterRole "view" cluster-wide`}},
				{beingDeleted, 1, []string{`User "alice": ClusterRole "edit" cluster-wide`}},
				{unnameableRoles, 2, []string{`User "alice": ClusterRole "a#2" cluster-wide`, `User "alice": Role "payer" cluster-wide`}},
				{unnameable, 5, []string{`Group "kubeadm:cluster-admins": ClusterRole "view" cluster-wide`, `User "oidc:alice": ClusterRole "view" cluster-wide`,
					`User "a/b": ClusterRole "view" cluster-wide`, `User "` + long[:64] + `…": ClusterRole "view" cluster-wide`, `User "": ClusterRole "view" cluster-wide`}},
			},
		},
		"names that differ in case only": {
			bindings: []reconcile.Binding{elsewhere("", "view", reconcile.UserSubject("alice"), reconcile.UserSubject("Alice"), groupSubject("Alice"), groupSubject("alice"))},
			want:     "group Alice view\nAlice [] view", asGroup: []string{"Alice"},
			left: []LeftOut{{differInCaseOnly, 2, []string{`User "alice": ClusterRole "view" cluster-wide`, `Group "alice": ClusterRole "view" cluster-wide`}}},
		},
		"names that differ in case only, one of them bound more often": {
			bindings: []reconcile.Binding{elsewhere("", "view", reconcile.UserSubject("alice"), reconcile.UserSubject("Alice")), elsewhere("", "edit", reconcile.UserSubject("alice"))},
			want:     "alice [] edit view",
			left:     []LeftOut{{differInCaseOnly, 1, []string{`User "Alice": ClusterRole "view" cluster-wide`}}},
		},
		"a group of certsync's that differs from another in case only": {
			bindings: []reconcile.Binding{ours("a", reconcile.Grant{For: reconcile.ForGroup, Subject: "devs", Role: "view", Part: 1}, "alice"), elsewhere("", "edit", groupSubject("Devs"))},
			want:     "group Devs edit", asGroup: []string{"Devs"},
			left: []LeftOut{{differInCaseOnly, 1, []string{`User "alice": ClusterRole "view" cluster-wide`}}},
		},
	}
	for sentence, tt := range tests {
		t.Run(sentence, func(t *testing.T) {
			got := Bindings("prod-eu", tt.bindings)
			if diff := cmp.Diff(tt.want, outline(got.Inventory)); diff != "" {
				t.Error(diff)
			}
			uneven := tt.uneven
			if uneven == nil {
				uneven = map[string][]string{}
			}
			got.Inventory = nil
			if diff := cmp.Diff(Result{AsGroup: tt.asGroup, Uneven: uneven, LeftOut: tt.left}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// outline is an inventory in short: a line a group and a user.
func outline(inv *inventory.Inventory) string {
	var lines []string
	roles := func(cluster []inventory.Grant, namespaces map[string][]inventory.Grant) string {
		out := ""
		for _, r := range cluster {
			out += " " + r.ClusterRole
		}
		for ns, granted := range namespaces {
			for _, r := range granted {
				out += " " + ns + "/" + r.ClusterRole
				if r.Role != "" {
					out += "Role/" + r.Role
				}
			}
		}
		return out
	}
	for _, g := range inv.Groups {
		lines = append(lines, "group "+g.Name+roles(g.ClusterRoles, g.Namespaces))
	}
	for _, u := range inv.Users {
		lines = append(lines, fmt.Sprintf("%s %s", u.Name, u.Groups)+roles(u.ClusterRoles, u.Namespaces))
	}
	return strings.Join(lines, "\n")
}

// TestExportedExamplesAreFew: whoever may write bindings cannot fill somebody's file.
func TestExportedExamplesAreFew(t *testing.T) {
	var bindings []reconcile.Binding
	for n := range 2000 {
		bindings = append(bindings, elsewhere("", fmt.Sprintf("r%04d#", n)+strings.Repeat("z", 5000), reconcile.Subject{Kind: strings.Repeat("K", 5000), Name: strings.Repeat("y", 5000)}))
	}
	left := Bindings("a", bindings).LeftOut
	if len(left) != 1 || left[0].Count != 2000 || len(left[0].Examples) != maxExamples || len(strings.Join(left[0].Examples, "")) > 2000 {
		t.Errorf("%+v", left)
	}
}

// TestExportIsTheInventoryAgain: what certsync made of an inventory is exported as that inventory, under which there is
// nothing to do but to record it.
func TestExportIsTheInventoryAgain(t *testing.T) {
	w := reconciletest.NewWorld(t)
	inv := reconciletest.Parse(t, reconciletest.Team)
	w.MustApply(inv)
	view, err := w.ObserveCluster(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	again, err := inventory.Parse("users.yaml", Bindings("test", view.Bindings).Inventory.Encode(inventory.Comments{}), nil)
	if err != nil {
		t.Fatal(err)
	}
	if plan := w.Plan(again); len(plan.Steps) > 0 {
		t.Errorf("%v", plan.Steps)
	}
}

// TestExportCanBeParsed makes bindings of what is legal in a cluster and in no inventory, in any order: there is always
// an inventory in it, and always the same.
func TestExportCanBeParsed(t *testing.T) {
	names := []string{"alice", "Alice", "ALICE", "no", "1e3", "a@b.c", "system:masters", "oidc:x", "a..b", strings.Repeat("n", 64), strings.Repeat("n", 65), "", "a\nb", "ä"}
	roles := []string{"view", "a#2", "system:node", "x:", "yes", "a b", "1:20", strings.Repeat("r", 254)}
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 0))
		pick := func(from []string) string { return from[r.IntN(len(from))] }
		var bindings []reconcile.Binding
		for n := range r.IntN(30) {
			b := elsewhere(pick([]string{"", "staging", "0", "no"}), pick(roles))
			b.Name = fmt.Sprint("b", n)
			if r.IntN(3) == 0 {
				b = reconcile.NewBinding("a", reconcile.Grant{For: reconcile.ForGroup, Subject: pick(names), Namespace: b.Namespace, Role: b.RoleRef.Name, Part: n + 1}, nil)
			}
			for range r.IntN(5) {
				b.Subjects = append(b.Subjects, reconcile.Subject{Kind: pick([]string{"User", "Group", "ServiceAccount"}), APIGroup: reconcile.RBACGroup, Name: pick(names)})
			}
			bindings = append(bindings, b)
		}
		want := Bindings("a", bindings)
		if _, err := inventory.Parse("users.yaml", want.Inventory.Encode(inventory.Comments{}), nil); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		r.Shuffle(len(bindings), func(i, j int) { bindings[i], bindings[j] = bindings[j], bindings[i] })
		if diff := cmp.Diff(want, Bindings("a", slices.Clone(bindings))); diff != "" {
			t.Fatalf("seed %d: %s", seed, diff)
		}
	}
}

// TestJoinByLabelOfAnyKey: a label whose key is a field of selectors joins as well, and the inventory can be read.
func TestJoinByLabelOfAnyKey(t *testing.T) {
	for _, key := range []string{"team", "example.com/team", "matchExpressions", "matchLabels"} {
		labels := map[string]string{key: "payments"}
		r := Bindings("o", []reconcile.Binding{elsewhere("a", "edit", reconcile.UserSubject("alice")), elsewhere("b", "edit", reconcile.UserSubject("alice"))})
		r.JoinByLabel(key, map[string]reconcile.Namespace{"a": {Labels: labels}, "b": {Labels: labels}})
		inv, err := inventory.Parse("users.yaml", r.Inventory.Encode(inventory.Comments{}), nil)
		if err != nil || len(inv.Users[0].ByLabel) != 1 || !inv.Users[0].ByLabel[0].Selector.Matches(labels) || inv.Users[0].ByLabel[0].Selector.Matches(nil) {
			t.Errorf("%s: %v", key, err)
		}
	}
}
