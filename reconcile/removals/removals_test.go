package removals_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
	"github.com/certsync/certsync/reconcile/removals"
)

const (
	groupView  = "ClusterRoleBinding certsync:test:group:devs:view"
	groupEdit  = "RoleBinding staging/certsync:test:group:devs:edit"
	aliceAdmin = "ClusterRoleBinding certsync:test:user:alice:admin"
	carolEdit  = "RoleBinding payments/certsync:test:user:carol:edit"
)

// settled is a world in which the team has all that it should.
func settled(t *testing.T) *reconciletest.World {
	t.Helper()
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	w.Now = w.Now.Add(time.Hour)
	w.Rules.Self = "certsync"
	return w
}

func planOf(t *testing.T, w *reconciletest.World, inv *inventory.Inventory) reconcile.Plan {
	t.Helper()
	view, err := w.ObserveCluster(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	return removals.Diff(inv, w.Now, view, w.Rules)
}

// changed is the team's inventory with other text in place of some.
func changed(oldNew ...string) string {
	return strings.NewReplacer(oldNew...).Replace(reconciletest.Team)
}

// without is the team without a user.
func without(name string) string {
	var lines []string
	for line := range strings.Lines(reconciletest.Team) {
		if !strings.Contains(line, "name: "+name) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// put makes others of the subjects of a binding.
func put(w *reconciletest.World, object string, subjects ...reconcile.Subject) {
	w.Changed(object, func(b *reconcile.Binding) { b.Subjects = subjects })
}

func users(names ...string) []reconcile.Subject { return reconcile.UserSubjects(names) }

// TestProtectedByInventory: without Vault, the inventory and the flags say who is protected.
func TestProtectedByInventory(t *testing.T) {
	w := settled(t)
	w.Rules.MaxRemovals = reconciletest.Limit(t, "100%")
	text := changed("name: alice,", "name: alice, protected: true,", "clusterRoles: [admin]", "clusterRoles: []")
	if got := planOf(t, w, reconciletest.Parse(t, text)).Refusals(); len(got) != 1 || !strings.Contains(got[0], "first take protected out") {
		t.Errorf("%q", got)
	}
	w.Rules.Revoke = []string{"alice"}
	if got := planOf(t, w, reconciletest.Parse(t, changed("name: alice,", "name: alice, protected: true,"))).Refusals(); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

// TestWhoGoes: a subject stays if the inventory gives its user the grant, whatever the epoch, and nothing else does.
func TestWhoGoes(t *testing.T) {
	tests := map[string]struct {
		change func(w *reconciletest.World)
		text   string
		want   []string
	}{
		"nobody": {text: reconciletest.Team, want: []string{}},
		"who begins later": {text: changed("name: bob,", "name: bob, from: 2027-01-31,"), want: []string{
			"update devs ClusterRoleBinding group:devs:view [from-ahead] -bob", "update devs RoleBinding staging/group:devs:edit [from-ahead] -bob"}},
		"who begins later under another name": {text: changed("name: bob,", "name: robert, previously: [bob], from: 2027-01-31,"), want: []string{
			"update devs ClusterRoleBinding group:devs:view [from-ahead] -bob", "update devs RoleBinding staging/group:devs:edit [from-ahead] -bob"}},
		"a grant that begins later": {text: changed("[admin]", "[{name: admin, from: 2027-01-31}]"), want: []string{"unbind alice ClusterRoleBinding user:alice:admin [from-ahead]"}},
		"a grant that began":        {text: changed("[admin]", "[{name: admin, from: 2026-01-31}]"), want: []string{}},
		"a grant that began and ended": {text: changed("[admin]", "[{name: admin, from: 2026-01-31, until: 2026-02-01}]"), want: []string{
			"unbind alice ClusterRoleBinding user:alice:admin [until-passed]"}},
		"who is gone": {text: without("bob"), want: []string{
			"update devs ClusterRoleBinding group:devs:view [not-in-inventory] -bob", "update devs RoleBinding staging/group:devs:edit [not-in-inventory] -bob"}},
		"who is gone, with bindings of their own": {text: without("alice"), want: []string{
			"update devs ClusterRoleBinding group:devs:view [not-in-inventory] -alice", "update devs RoleBinding staging/group:devs:edit [not-in-inventory] -alice",
			"unbind alice ClusterRoleBinding user:alice:admin [not-in-inventory]"}},
		"a whole group": {text: changed(", groups: [devs]", "", " {name: devs, ", " {name: devs2, "), want: []string{
			"unbind devs ClusterRoleBinding group:devs:view [roles-changed] -alice -bob", "unbind devs RoleBinding staging/group:devs:edit [roles-changed] -alice -bob"}},
		"a member": {text: changed("name: bob, groups: [devs]", "name: bob"), want: []string{
			"update devs ClusterRoleBinding group:devs:view [members-changed] -bob", "update devs RoleBinding staging/group:devs:edit [members-changed] -bob"}},
		"an old role, and its successor does not come": {text: changed("clusterRoles: [admin]", "clusterRoles: [edit]"), want: []string{
			"unbind alice ClusterRoleBinding user:alice:admin [roles-changed]"}},
		"whose time has passed": {text: changed("name: carol,", "name: carol, until: 2026-02-01,"), want: []string{
			"unbind carol RoleBinding payments/user:carol:edit [until-passed]"}},
		"a grant whose time has passed": {text: changed("clusterRoles: [admin]", "clusterRoles: [{name: admin, until: 2026-02-01}]"), want: []string{
			"unbind alice ClusterRoleBinding user:alice:admin [until-passed]"}},
		"later epochs, and two at once, stay": {
			change: func(w *reconciletest.World) {
				put(w, aliceAdmin, users("alice#2", "alice#7", "alice")...)
				put(w, groupView, users("bob#3", "alice#2")...)
			},
			text: reconciletest.Team, want: []string{}},
		"who is gone, in any epoch": {
			change: func(w *reconciletest.World) { put(w, groupView, users("bob#3", "alice#2", "bob", "bob#12")...) },
			text:   without("bob"), want: []string{
				"update devs ClusterRoleBinding group:devs:view [not-in-inventory] -bob#3 -bob -bob#12", "update devs RoleBinding staging/group:devs:edit [not-in-inventory] -bob"}},
		"subjects that are nobody of the inventory": {
			change: func(w *reconciletest.World) {
				put(w, groupEdit, append(users("bob", "alice", "mallory", "alice#1", "alice#02"),
					reconcile.Subject{Kind: "Group", APIGroup: reconcile.RBACGroup, Name: "devs"},
					reconcile.Subject{Kind: "ServiceAccount", Namespace: "staging", Name: "alice"},
					reconcile.Subject{Kind: "User", APIGroup: "x", Name: "alice"})...)
			},
			text: reconciletest.Team, want: []string{"update devs RoleBinding staging/group:devs:edit [drifted not-in-inventory] -mallory -alice#1 -alice#02 -Group/devs -ServiceAccount/staging/alice -User/alice (apiGroup \"x\")"}},
		"somebody in another user's binding": {
			change: func(w *reconciletest.World) { put(w, aliceAdmin, users("alice", "bob")...) },
			text:   reconciletest.Team, want: []string{"update alice ClusterRoleBinding user:alice:admin [drifted] -bob"}},
		"a binding with another role": {
			change: func(w *reconciletest.World) {
				w.Changed(groupView, func(b *reconcile.Binding) { b.RoleRef.Name = "cluster-admin" })
			},
			text: reconciletest.Team, want: []string{"unbind devs ClusterRoleBinding group:devs:view [drifted] -alice -bob"}},
		"a binding that was planted": {
			change: func(w *reconciletest.World) {
				w.Plant(reconcile.NewBinding("test", reconcile.Grant{For: reconcile.ForUser, Subject: "eve", Namespace: "staging", Role: "admin", Part: 1}, []string{"eve"}))
			},
			text: reconciletest.Team, want: []string{"unbind eve RoleBinding staging/user:eve:admin [not-in-inventory]"}},
		"bindings of others, and one without subjects, stay": {
			change: func(w *reconciletest.World) {
				w.Plant(reconcile.NewBinding("other", reconcile.Grant{For: reconcile.ForUser, Subject: "eve", Role: "admin", Part: 1}, []string{"eve"}))
				w.Plant(reconcile.Binding{Kind: reconcile.ClusterRoleBinding, Name: "certsync:test:user:eve", ManagedBy: "certsync", Owner: "test", Subjects: users("eve")})
				put(w, carolEdit)
			},
			text: reconciletest.Team, want: []string{}},
		"a binding that a finalizer keeps": {
			change: func(w *reconciletest.World) { w.Terminate(carolEdit) },
			text:   without("carol"), want: []string{"unbind carol RoleBinding payments/user:carol:edit [not-in-inventory]"}},
	}
	for sentence, tt := range tests {
		t.Run(sentence, func(t *testing.T) {
			w := settled(t)
			w.Rules.MaxRemovals = reconciletest.Limit(t, "100%")
			if tt.change != nil {
				tt.change(w)
			}
			p := planOf(t, w, reconciletest.Parse(t, tt.text))
			if diff := cmp.Diff(sorted(tt.want), sorted(reconciletest.Lines(p))); diff != "" || len(p.Refusals()) > 0 {
				t.Errorf("%s%q", diff, p.Refusals())
			}
		})
	}
}

func sorted(lines []string) []string {
	out := append([]string{}, lines...)
	slices.Sort(out)
	return out
}

// TestRename: the old name keeps what the new one should have until the new one is bound, in any epoch. Without Vault the new name
// gets no certificate.
func TestRename(t *testing.T) {
	w := settled(t)
	inv := reconciletest.Renamed(t)
	if got := reconciletest.Lines(planOf(t, w, inv)); len(got) > 0 {
		t.Errorf("before: %q", got)
	}
	put(w, groupView, users("bob", "alice", "alicia#2")...)
	want := []string{"update devs ClusterRoleBinding group:devs:view [renamed] -alice"}
	if diff := cmp.Diff(want, reconciletest.Lines(planOf(t, w, inv))); diff != "" {
		t.Error(diff)
	}
	inv.Users[0].ClusterRoles = nil // the new name does not get it
	want = append(want, "unbind alice ClusterRoleBinding user:alice:admin [renamed]")
	if diff := cmp.Diff(want, reconciletest.Lines(planOf(t, w, inv))); diff != "" {
		t.Error(diff)
	}
	w.Rules.Revoke = []string{"alicia"} // the same person
	for _, line := range reconciletest.Lines(planOf(t, w, inv)) {
		if !strings.Contains(line, "[revoked]") {
			t.Error(line)
		}
	}
	if n := len(planOf(t, w, inv).Steps); n != 3 {
		t.Errorf("%d steps", n)
	}
}

// TestSkewedClock: `until` hangs on the time.
func TestSkewedClock(t *testing.T) {
	w := settled(t)
	w.Skew = 3 * time.Minute
	if p := planOf(t, w, reconciletest.Parse(t, reconciletest.Team)); len(p.Forbidden) != 1 || !strings.Contains(p.Forbidden[0], "set the clock") {
		t.Errorf("%q", p.Forbidden)
	}
}

// TestGivesNothing: of any bindings, a plan only takes subjects out that the inventory does not give, and all of those.
func TestGivesNothing(t *testing.T) {
	inv := reconciletest.Parse(t, changed("name: carol,", "name: carol, until: 2026-02-01,"))
	given := map[string][]string{groupView: {"alice", "bob"}, groupEdit: {"alice", "bob"}, aliceAdmin: {"alice"}}
	r := rand.New(rand.NewPCG(13, 11))
	pool := append(users("alice", "alice#2", "bob", "bob#9", "carol", "mallory", "alice#x"), reconcile.Subject{Kind: "Group", APIGroup: reconcile.RBACGroup, Name: "devs"})
	w := settled(t)
	w.Rules.MaxRemovals = reconciletest.Limit(t, "100%")
	all := maps.Clone(w.Bindings)
	for range 500 {
		w.Bindings, w.Revoked, w.Rules.Revoke = maps.Clone(all), nil, nil
		if r.IntN(3) == 0 {
			w.Rules.Revoke = []string{"bob"}
		}
		for object := range w.Bindings {
			var subjects []reconcile.Subject
			for range r.IntN(6) {
				subjects = append(subjects, pool[r.IntN(len(pool))])
			}
			put(w, object, subjects...)
		}
		want := map[string][]reconcile.Subject{}
		for object, b := range w.Bindings {
			left := slices.DeleteFunc(slices.Clone(b.Subjects), func(s reconcile.Subject) bool {
				return s.Person() == "" || !slices.Contains(given[object], s.Person()) || slices.Contains(w.Rules.Revoke, s.Person())
			})
			if len(left) > 0 || len(b.Subjects) == 0 {
				want[object] = left
			}
		}
		w.MustRemove(inv)
		got := map[string][]reconcile.Subject{}
		for object, b := range w.Bindings {
			got[object] = b.Subjects
		}
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b []reconcile.Subject) bool { return slices.Equal(a, b) })); diff != "" {
			t.Fatal(diff)
		}
		if p := planOf(t, w, inv); len(p.Steps) > 0 {
			t.Fatalf("once more: %q", reconciletest.Lines(p))
		}
	}
}
