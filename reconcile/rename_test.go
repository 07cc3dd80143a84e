package reconcile

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRename: the new name gets its access before the old one loses it, and what the old one held is accounted for.
func TestRename(t *testing.T) {
	w := newWorld(t)
	w.mustApply(parse(t, team))
	want := []string{
		"issue alicia [renamed]",
		"bind alicia ClusterRoleBinding user:alicia:admin [renamed]",
		"update devs ClusterRoleBinding group:devs:view [members-changed] +alicia -alice",
		"update devs RoleBinding staging/group:devs:edit [members-changed] +alicia -alice",
		"remove alice [renamed]",
		"unbind alice ClusterRoleBinding user:alice:admin [renamed]",
	}
	if diff := cmp.Diff(sortedSetOf(want), sortedSetOf(lines(w.plan(renamed(t))))); diff != "" {
		t.Fatal(diff)
	}
	w.fail = func(call string) error {
		lost := strings.HasPrefix(call, "delete ClusterRoleBinding certsync:test:user:alice:") || strings.HasPrefix(call, "erase alice")
		if lost && (w.users["alicia"] == nil || !slices.Contains(w.subjects(groupView), "alicia") || w.bindings["ClusterRoleBinding certsync:test:user:alicia:admin"].UID == "") {
			t.Errorf("%s before alicia has her access", call)
		}
		return nil
	}
	w.mustApply(renamed(t))
	rec := w.ledger["alice"].versions[w.ledger["alice"].current].record
	if rec.State != Removed || rec.Certificates[0].Status != Revoked || w.users["alice"] != nil {
		t.Errorf("what is left of the old name: %+v", rec)
	}
	if got := w.subjects(groupView); !slices.Equal(sortedSetOf(got), []string{"alicia", "bob"}) {
		t.Errorf("subjects %q", got)
	}
	if p := w.plan(renamed(t)); p.Changes() {
		t.Errorf("left: %q", lines(p))
	}
}

// TestRenameFails: whatever goes wrong for the new name, the old one keeps what it has, and the next run finishes.
func TestRenameFails(t *testing.T) {
	for _, call := range []string{"issue alicia", "login alicia", "record alicia", "store alicia", "create ClusterRoleBinding certsync:test:user:alicia"} {
		t.Run(call, func(t *testing.T) {
			w := newWorld(t)
			w.mustApply(parse(t, team))
			w.fail = failing(call, errBoom)
			if o, err := w.apply(renamed(t)); err != nil || o.Failed() == 0 {
				t.Fatal(err)
			}
			stored := !strings.HasPrefix(call, "create")
			if w.users["alice"] == nil || w.bindings["ClusterRoleBinding certsync:test:user:alice:admin"].UID == "" ||
				stored && !slices.Contains(w.subjects(groupView), "alice") {
				t.Errorf("alice lost something: %q", w.subjects(groupView))
			}
			w.fail = nil
			w.mustApply(renamed(t))
			if p := w.plan(renamed(t)); p.Changes() || w.users["alice"] != nil {
				t.Errorf("left: %q", lines(p))
			}
		})
	}
}

// TestRenameIsHeld: while a conflict keeps the new name from its credential, the old one keeps everything.
func TestRenameIsHeld(t *testing.T) {
	w := newWorld(t)
	w.mustApply(parse(t, team))
	if _, err := w.put(w.users, "alicia", kvVersion{}, 0); err != nil {
		t.Fatal(err)
	}
	o, err := w.apply(renamed(t))
	if err != nil || o.Failed() == 0 || w.users["alice"] == nil || !slices.Contains(w.subjects(groupView), "alice") {
		t.Errorf("%v, %q, subjects %q", err, results(o), w.subjects(groupView))
	}
	w.rules.Adopt = []string{"users/alicia"}
	w.mustApply(renamed(t))
	if p := w.plan(renamed(t)); p.Changes() || w.users["alice"] != nil {
		t.Errorf("left: %q", lines(p))
	}
}

// TestRenameIsNoRemoval: a rename's moves are no removals, however many there are; a name in use is quarantined after it.
func TestRenameIsNoRemoval(t *testing.T) {
	w := newWorld(t)
	w.mustApply(parse(t, crew(4)))
	inv := parse(t, strings.ReplaceAll(crew(4), "name: user", "name: person"))
	for i := range inv.Users {
		inv.Users[i].Previously = []string{"user" + strings.TrimPrefix(inv.Users[i].Name, "person")}
	}
	w.mustApply(inv)
	if got := w.subjects(groupView); len(got) != 4 || slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "user") }) {
		t.Errorf("subjects %q", got)
	}
	w.rules.MaxRemovals = limit(t, "100%")
	if got := lines(w.plan(parse(t, crew(4)))); !slices.Contains(got, "issue user00 [new-user] held") {
		t.Errorf("the old name is not quarantined: %q", got)
	}
}
