package apply_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestRename: the new name gets its access before the old one loses it, and what the old one held is accounted for.
func TestRename(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	want := []string{
		"issue alicia [renamed]",
		"bind alicia ClusterRoleBinding user:alicia:admin [renamed]",
		"update devs ClusterRoleBinding group:devs:view [members-changed] +alicia -alice",
		"update devs RoleBinding staging/group:devs:edit [members-changed] +alicia -alice",
		"remove alice [renamed]",
		"unbind alice ClusterRoleBinding user:alice:admin [renamed]",
	}
	if diff := cmp.Diff(reconciletest.SortedSetOf(want), reconciletest.SortedSetOf(reconciletest.Lines(w.Plan(reconciletest.Renamed(t))))); diff != "" {
		t.Fatal(diff)
	}
	w.Fail = func(call string) error {
		lost := strings.HasPrefix(call, "delete ClusterRoleBinding certsync:test:user:alice:") || strings.HasPrefix(call, "erase alice")
		if lost && (w.Users["alicia"] == nil || !slices.Contains(w.Subjects(reconciletest.GroupView), "alicia") || w.Bindings["ClusterRoleBinding certsync:test:user:alicia:admin"].UID == "") {
			t.Errorf("%s before alicia has her access", call)
		}
		return nil
	}
	w.MustApply(reconciletest.Renamed(t))
	rec := w.Ledger["alice"].Versions[w.Ledger["alice"].Current].Record
	if rec.State != reconcile.Removed || rec.Certificates[0].Status != reconcile.Revoked || w.Users["alice"] != nil {
		t.Errorf("what is left of the old name: %+v", rec)
	}
	if got := w.Subjects(reconciletest.GroupView); !slices.Equal(reconciletest.SortedSetOf(got), []string{"alicia", "bob"}) {
		t.Errorf("subjects %q", got)
	}
	if p := w.Plan(reconciletest.Renamed(t)); p.Changes() {
		t.Errorf("left: %q", reconciletest.Lines(p))
	}
}

// TestRenameByCase: a name that only changes its letters' case is renamed as any other.
func TestRenameByCase(t *testing.T) {
	w := reconciletest.NewWorld(t)
	before := strings.Replace(reconciletest.Team, "name: alice,", "name: Alice,", 1)
	after := reconciletest.Parse(t, strings.Replace(reconciletest.Team, "name: alice,", "name: alice, previously: [Alice],", 1))
	w.MustApply(reconciletest.Parse(t, before))
	want := []string{
		"issue alice [renamed]",
		"bind alice ClusterRoleBinding user:alice:admin [renamed]",
		"update devs ClusterRoleBinding group:devs:view [members-changed] +alice -Alice",
		"update devs RoleBinding staging/group:devs:edit [members-changed] +alice -Alice",
		"remove Alice [renamed]",
		"unbind Alice ClusterRoleBinding user:Alice:admin [renamed]",
	}
	if diff := cmp.Diff(reconciletest.SortedSetOf(want), reconciletest.SortedSetOf(reconciletest.Lines(w.Plan(after)))); diff != "" {
		t.Error(diff)
	}
	w.MustApply(after)
	if p := w.Plan(after); p.Changes() || w.Users["Alice"] != nil || w.Users["alice"] == nil {
		t.Errorf("left: %q", reconciletest.Lines(p))
	}
}

// TestRenameFails: whatever goes wrong for the new name, the old one keeps what it has, and the next run finishes.
func TestRenameFails(t *testing.T) {
	for _, call := range []string{"issue alicia", "login alicia", "record alicia", "store alicia", "create ClusterRoleBinding certsync:test:user:alicia"} {
		t.Run(call, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			w.MustApply(reconciletest.Parse(t, reconciletest.Team))
			w.Fail = reconciletest.Failing(call, reconciletest.ErrBoom)
			if o, err := w.Apply(reconciletest.Renamed(t)); err != nil || o.Failed() == 0 {
				t.Fatal(err)
			}
			stored := !strings.HasPrefix(call, "create")
			if w.Users["alice"] == nil || w.Bindings["ClusterRoleBinding certsync:test:user:alice:admin"].UID == "" ||
				stored && !slices.Contains(w.Subjects(reconciletest.GroupView), "alice") {
				t.Errorf("alice lost something: %q", w.Subjects(reconciletest.GroupView))
			}
			w.Fail = nil
			w.MustApply(reconciletest.Renamed(t))
			if p := w.Plan(reconciletest.Renamed(t)); p.Changes() || w.Users["alice"] != nil {
				t.Errorf("left: %q", reconciletest.Lines(p))
			}
		})
	}
}

// TestRenameIsHeld: while a conflict keeps the new name from its credential, the old one keeps everything.
func TestRenameIsHeld(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	if _, err := w.Put(w.Users, "alicia", reconciletest.KVVersion{}, 0); err != nil {
		t.Fatal(err)
	}
	o, err := w.Apply(reconciletest.Renamed(t))
	if err != nil || o.Failed() == 0 || w.Users["alice"] == nil || !slices.Contains(w.Subjects(reconciletest.GroupView), "alice") {
		t.Errorf("%v, %q, subjects %q", err, reconciletest.Results(o), w.Subjects(reconciletest.GroupView))
	}
	w.Rules.Adopt = []string{"alicia"}
	w.MustApply(reconciletest.Renamed(t))
	if p := w.Plan(reconciletest.Renamed(t)); p.Changes() || w.Users["alice"] != nil {
		t.Errorf("left: %q", reconciletest.Lines(p))
	}
}

// TestRenameIsNoRemoval: a rename's moves are no removals, however many there are; the old names come back in a later epoch.
func TestRenameIsNoRemoval(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Crew(4)))
	inv := reconciletest.Parse(t, strings.ReplaceAll(reconciletest.Crew(4), "name: user", "name: person"))
	for i := range inv.Users {
		inv.Users[i].Previously = []string{"user" + strings.TrimPrefix(inv.Users[i].Name, "person")}
	}
	w.MustApply(inv)
	if got := w.Subjects(reconciletest.GroupView); len(got) != 4 || slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "user") }) {
		t.Errorf("subjects %q", got)
	}
	w.Rules.MaxRemovals = reconciletest.Limit(t, "100%")
	if got := reconciletest.Lines(w.Plan(reconciletest.Parse(t, reconciletest.Crew(4)))); !slices.Contains(got, "bind user00 ClusterRoleBinding user:user00:edit [new-user]") {
		t.Errorf("the old name does not come back: %q", got)
	}
}

// TestPlantedForAnOldName: what certsync never gave to an old name goes at once, although the new name has no access yet.
func TestPlantedForAnOldName(t *testing.T) {
	w := reconciletest.NewWorld(t)
	if _, err := w.Put(w.Users, "alicia", reconciletest.KVVersion{}, 0); err != nil {
		t.Fatal(err)
	}
	w.Plant(reconcile.NewBinding("test", reconcile.Grant{For: reconcile.ForUser, Subject: "alice", Namespace: "staging", Role: "edit", Part: 1}, []string{"alice"}))
	inv := reconciletest.Renamed(t)
	inv.Users[0].Namespaces = map[string][]inventory.Grant{"staging": {{ClusterRole: "edit"}}}
	if o, err := w.Apply(inv); err != nil || o.Failed() != 1 || w.Served("alice") != nil {
		t.Errorf("%v, %q; alice has %q", err, reconciletest.Results(o), w.Served("alice"))
	}
}

// TestRevokedOldName: the old name of somebody waits for nothing if its certificates are revoked, by either name, or by a revokedBefore
// of the user's own. Somebody may have written to the new name's path, to keep what the old one has.
func TestRevokedOldName(t *testing.T) {
	for sentence, revoke := range map[string]func(*reconciletest.World, *inventory.User){
		"by the old name":  func(w *reconciletest.World, _ *inventory.User) { w.Rules.Revoke = []string{"alice"} },
		"by the new name":  func(w *reconciletest.World, _ *inventory.User) { w.Rules.Revoke = []string{"alicia"} },
		"by the inventory": func(w *reconciletest.World, u *inventory.User) { u.RevokedBefore = w.Now.Add(-time.Minute) },
	} {
		t.Run(sentence, func(t *testing.T) {
			w := hourLater(t)
			if _, err := w.Put(w.Users, "alicia", reconciletest.KVVersion{}, 0); err != nil {
				t.Fatal(err)
			}
			inv := reconciletest.Renamed(t)
			revoke(w, &inv.Users[0])
			if o, err := w.Apply(inv); err != nil || o.Failed() != 1 || w.Served("alice") != nil || w.Users["alice"] != nil {
				t.Errorf("%v, %q; alice has %q", err, reconciletest.Results(o), w.Served("alice"))
			}
			if !w.State.Names["alice"].Left {
				t.Errorf("%+v", w.State.Names)
			}
			w.Rules.Revoke, w.Rules.Adopt = nil, []string{"alicia"}
			w.MustApply(inv)
			if p := w.Plan(inv); p.Changes() || len(w.Served(reconcile.Username("alicia", w.State.Names["alicia"].Epoch))) != 3 {
				t.Errorf("left: %q, %+v", reconciletest.Lines(p), w.State.Names)
			}
		})
	}
}

// TestRevokedOldNameGoesFirst: nothing is asked for while a revoked name has anything.
func TestRevokedOldNameGoesFirst(t *testing.T) {
	w := hourLater(t)
	w.Rules.Revoke = []string{"alice"}
	w.Fail = func(call string) error {
		if strings.HasPrefix(call, "issue alicia ") && w.Served("alice") != nil {
			t.Errorf("%s, and alice has %q", call, w.Served("alice"))
		}
		return nil
	}
	w.MustApply(reconciletest.Renamed(t))
	if p := w.Plan(reconciletest.Renamed(t)); p.Changes() || len(w.Served("alicia")) != 3 {
		t.Errorf("left: %q; alicia has %q", reconciletest.Lines(p), w.Served("alicia"))
	}
	w.Rules.Protect = []string{"alicia"}
	w.MustApply(reconciletest.Renamed(t)) // nothing is left to revoke
}

// TestRevokedOldNameIsProtected: a guard refuses to take anything from the old name of a protected user.
func TestRevokedOldNameIsProtected(t *testing.T) {
	for _, protected := range []string{"alice", "alicia"} {
		w := hourLater(t)
		w.Rules.Protect, w.Rules.Revoke = []string{protected}, []string{"alice"}
		var refused reconcile.Refused
		_, err := w.Apply(reconciletest.Renamed(t))
		if !errors.As(err, &refused) || !strings.Contains(strings.Join(refused.Violations, "; "), "would revoke the certificates of") {
			t.Errorf("%s: %v", protected, err)
		}
		w.Hold = true
		w.Fail = reconciletest.Failing("issue alicia", reconciletest.ErrBoom)
		if _, err := w.Apply(reconciletest.Renamed(t)); err != nil || len(w.Served("alice")) != 3 {
			t.Errorf("%s: %v, alice has %q", protected, err, w.Served("alice"))
		}
	}
}
