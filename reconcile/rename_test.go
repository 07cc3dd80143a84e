package reconcile

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory"
)

// renamed is team, in which alice has another name.
func renamed(t *testing.T) *inventory.Inventory {
	inv := parse(t, strings.Replace(team, "name: alice,", "name: alicia,", 1))
	inv.Users[0].Previously = []string{"alice"}
	return inv
}

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
	if _, err := w.apply(renamed(t)); !isRefused(err) || len(err.(Refused).Violations) != 1 {
		t.Errorf("without --hold: %v", err)
	}
	w.hold = true
	o, err := w.apply(renamed(t))
	if err != nil || o.Failed() == 0 || w.users["alice"] == nil || !slices.Contains(w.subjects(groupView), "alice") {
		t.Errorf("%v, %q, subjects %q", err, results(o), w.subjects(groupView))
	}
	w.hold, w.rules.Adopt = false, []string{"users/alicia"}
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

// TestDenied: who was denied is not asked for again until somebody says so, and keeps what they have.
func TestDenied(t *testing.T) {
	w := newWorld(t)
	denial := Denial{Request: "certsync-x", Reason: "NotToday", Message: "ask Bob", At: w.now}
	w.fail = failing("issue bob", denial)
	if o, err := w.apply(parse(t, team)); err != nil || o.Failed() != 1 {
		t.Fatalf("%v, %q", err, results(o))
	}
	w.fail = nil
	rec := w.ledger["bob"].versions[1].record
	if want := `CertificateSigningRequest certsync-x was denied at 2026-03-01T12:00:00Z: "ask Bob" (reason "NotToday")`; rec.State != Denied || rec.Reason != want {
		t.Errorf("record: %s, %s", rec.State, rec.Reason)
	}
	p := w.plan(parse(t, team))
	if p.Changes() || !slices.Contains(kinds(p), "request-denied bob") {
		t.Errorf("plan: %q, %q", lines(p), kinds(p))
	}
	w.rules.Retry = []string{"bob", "alice"} // alice needs nothing: ignored
	if got := lines(w.plan(parse(t, team))); !slices.Contains(got, "reissue bob [retried]") {
		t.Errorf("retried: %q", got)
	}
	w.mustApply(parse(t, team))
	w.rules.Retry = nil
	if got := w.subjects(groupView); !slices.Contains(got, "bob") || w.users["bob"] == nil {
		t.Errorf("subjects %q", got)
	}

	// Denied at a renewal: the certificate from before serves them on, and is known.
	w.now = w.now.Add(150 * time.Hour)
	w.fail = failing("issue bob", denial)
	if o, err := w.apply(parse(t, team)); err != nil || o.Failed() != 1 {
		t.Fatalf("%v, %q", err, results(o))
	}
	w.fail = nil
	rec = w.ledger["bob"].versions[w.ledger["bob"].current].record
	if rec.State != Denied || rec.current() == nil || !slices.Contains(w.subjects(groupView), "bob") {
		t.Errorf("record: %s, %v", rec.State, rec.Certificates)
	}
	if p := w.plan(parse(t, team)); p.Changes() {
		t.Errorf("plan: %q", lines(p))
	}
	// And who leaves after that leaves like anybody else.
	without := parse(t, strings.Replace(team, "  - {name: bob, groups: [devs]}\n", "", 1))
	w.mustApply(without)
	if rec = w.ledger["bob"].versions[w.ledger["bob"].current].record; rec.State != Removed || w.users["bob"] != nil {
		t.Errorf("record: %s", rec.State)
	}
}

// TestAdopt: what is not certsync's is taken over one by one, as it was looked at.
func TestAdopt(t *testing.T) {
	const admin = "ClusterRoleBinding certsync:test:user:alice:admin"
	strip := func(change func(*Binding)) func(w *world) {
		return func(w *world) {
			b := w.bindings[admin]
			b.Owner, b.ManagedBy, b.ResourceVersion = "", "", w.next()
			change(&b)
			w.bindings[admin] = b
		}
	}
	tests := map[string]struct {
		world  func(w *world)
		adopt  string
		want   []string
		writes []string // beside the state's and those of certificates
	}{
		"a binding without its labels": {
			world: strip(func(*Binding) {}), adopt: "ClusterRoleBinding/certsync:test:user:alice:admin",
			want:   []string{"update alice ClusterRoleBinding user:alice:admin [adopted]"},
			writes: []string{"adopt " + admin},
		},
		"a binding for somebody else": {
			world: strip(func(b *Binding) { b.Subjects = []Subject{UserSubject("eve")} }), adopt: "ClusterRoleBinding/certsync:test:user:alice:admin",
			want:   []string{"update alice ClusterRoleBinding user:alice:admin [adopted] +alice -eve"},
			writes: []string{"adopt " + admin, "update " + admin + "[alice]"},
		},
		"a binding to another role": {
			world: strip(func(b *Binding) { b.RoleRef.Name = "cluster-admin" }), adopt: "ClusterRoleBinding/certsync:test:user:alice:admin",
			want: []string{"unbind alice ClusterRoleBinding user:alice:admin [drifted]", "bind alice ClusterRoleBinding user:alice:admin [drifted]"},
		},
		"a binding in a namespace": {
			world: func(w *world) {
				b := w.bindings["RoleBinding payments/certsync:test:user:carol:edit"]
				b.Owner = ""
				w.bindings[b.Object()] = b
			},
			adopt: "RoleBinding/payments/certsync:test:user:carol:edit",
			want:  []string{"update carol RoleBinding payments/user:carol:edit [adopted]"},
		},
		"a secret that somebody wrote": {
			world: func(w *world) { _, _ = w.put(w.users, "bob", kvVersion{}, 1) }, adopt: "users/bob",
			want: []string{"reissue bob [foreign-credential]"},
		},
		"a record that is none": {
			world: func(w *world) { w.ledger["bob"].versions[1].record = w.ledger["carol"].versions[1].record }, adopt: "users/bob",
			want: []string{"reissue bob [ledger-unreadable]"},
		},
		"a secret of nobody": {
			world: func(w *world) { _, _ = w.put(w.users, "zoe", kvVersion{}, 0) }, adopt: "users/zoe",
			want: []string{"remove zoe [foreign-credential not-in-inventory]"},
		},
		"a record of nobody that is none": {
			world: func(w *world) { _, _ = w.put(w.ledger, "zoe", kvVersion{record: &Record{User: "eve"}}, 0) }, adopt: "users/zoe",
			want: []string{"remove zoe [ledger-unreadable not-in-inventory]"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.mustApply(parse(t, team))
			tt.world(w)
			if got := w.refused(team); len(got) != 1 || !strings.Contains(got[0], "--adopt "+tt.adopt+")") {
				t.Errorf("refused: %q", got)
			}
			w.rules.Adopt = []string{tt.adopt}
			if diff := cmp.Diff(tt.want, lines(w.plan(parse(t, team)))); diff != "" {
				t.Error(diff)
			}
			w.mustApply(parse(t, team))
			if tt.writes != nil {
				if diff := cmp.Diff(append([]string{"write state"}, tt.writes...), w.writes()); diff != "" {
					t.Error(diff)
				}
			}
			w.rules.Adopt = nil
			for user, s := range w.users {
				for n, v := range s.versions {
					if n != s.current && !v.destroyed {
						t.Errorf("version %d of users/%s is still there", n, user)
					}
				}
			}
			if p := w.plan(parse(t, team)); p.Changes() {
				t.Errorf("left: %q", lines(p))
			}
		})
	}
	w := newWorld(t)
	w.rules.Adopt = []string{"ClusterRoleBinding/nothing"}
	if _, err := w.apply(parse(t, team)); err == nil || err.Error() != `--adopt "ClusterRoleBinding/nothing": neither inventory, ledger nor cluster knows that name` {
		t.Errorf("a name that stands nowhere: %v", err)
	}
}

// TestAdoptWhatWasLookedAt: a binding that changed between the plan and the write is not adopted.
func TestAdoptWhatWasLookedAt(t *testing.T) {
	w := newWorld(t)
	w.mustApply(parse(t, team))
	b := w.bindings[groupView]
	b.Owner = ""
	w.bindings[groupView] = b
	w.rules.Adopt = []string{b.adoptName()}
	w.fail = func(call string) error {
		if call == "write state" {
			b.ResourceVersion, b.Subjects = w.next(), append(b.Subjects, UserSubject("eve"))
			w.bindings[groupView] = b
		}
		return nil
	}
	if o, err := w.apply(parse(t, team)); err != nil || o.Failed() != 1 {
		t.Errorf("%v, %q", err, results(o))
	}
	if w.bindings[groupView].Owner != "" {
		t.Error("it was adopted")
	}
}
