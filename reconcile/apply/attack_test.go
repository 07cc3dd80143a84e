package apply_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestHeldBindingsKeepNoLeaver: what is held of a binding is held for those who count; who left, or whose time is over,
// is out.
func TestHeldBindingsKeepNoLeaver(t *testing.T) {
	const groups, roles = "groups: [{name: g1%[1]s}, {name: g2%[1]s}]\nusers:\n  - {name: alice, groups: [g1, g2]}\n  - {name: bob, groups: [g1, g2]}\n", ", clusterRoles: [view]"
	for sentence, zed := range map[string]string{"left": "", "lapsed": "  - {name: zed, groups: [g1, g2], until: 2026-02-28}\n"} {
		t.Run(sentence, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			w.MustApply(reconciletest.Parse(t, fmt.Sprintf(groups, roles)+"  - {name: zed, groups: [g1, g2]}\n"))
			held := w.Holding(fmt.Sprintf(groups, "") + zed)
			if len(held) != 2 || len(w.Served("alice")) != 2 {
				t.Errorf("held %q, alice has %q", held, w.Served("alice"))
			}
			if got := w.Served("zed"); got != nil || w.Users["zed"] != nil {
				t.Errorf("zed has %q", got)
			}
		})
	}
}

// TestLabelledFlood: whoever may make bindings and label them, or add people to ours, stops neither the mending of that
// nor anything else.
func TestLabelledFlood(t *testing.T) {
	w := reconciletest.NewWorld(t)
	before := reconciletest.Crew(8) + "  - {name: ops1, groups: [ops]}\n"
	before = strings.Replace(before, "clusterRoles: [view]}]", "clusterRoles: [view]}, {name: ops, clusterRoles: [admin]}]", 1)
	w.MustApply(reconciletest.Parse(t, before))
	for i := range 20 {
		b := reconcile.NewBinding("test", reconcile.Grant{For: reconcile.ForUser, Subject: fmt.Sprintf("m%d", i), Namespace: "staging", Role: "edit", Part: 1}, []string{"mallory"})
		b.UID, b.ResourceVersion = w.Next(), w.Next()
		w.Bindings[b.Object()] = b
	}
	const ops = "ClusterRoleBinding certsync:test:group:ops:admin"
	b := w.Bindings[ops]
	for i := range 8 {
		b.Subjects = append(b.Subjects, reconcile.UserSubject(fmt.Sprintf("user%02d", i)))
	}
	b.ResourceVersion = w.Next()
	w.Bindings[ops] = b
	w.MustApply(reconciletest.Parse(t, before))
	w.MustApply(reconciletest.Parse(t, strings.Replace(before, "user07, groups: [devs]", "user07", 1)))
	if got := w.Subjects(ops); !slices.Equal(got, []string{"ops1"}) || w.Served("mallory") != nil || slices.Contains(w.Served("user07"), reconciletest.GroupView) {
		t.Errorf("ops: %q, mallory: %q, user07: %q", got, w.Served("mallory"), w.Served("user07"))
	}
}

// TestOneRoleForAnother: a group's new role excuses the end of its old one, not that people leave the group with it.
func TestOneRoleForAnother(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Crew(10)))
	fewer := strings.Replace(reconciletest.Crew(10), "[view]", "[edit]", 1)
	for i := range 9 {
		fewer = strings.Replace(fewer, fmt.Sprintf("user%02d, groups: [devs],", i), fmt.Sprintf("user%02d,", i), 1)
	}
	if got := w.Refused(fewer); len(got) != 1 || !strings.Contains(got[0], "would take 9 of 20 subjects out of their bindings") {
		t.Errorf("refused %q", got)
	}
	w.MustApply(reconciletest.Parse(t, strings.Replace(reconciletest.Crew(10), "[view]", "[edit]", 1)))
}

// TestTidying: who left or lapsed before is nobody who is removed, and a secret that somebody plants for them neither.
func TestTidying(t *testing.T) {
	w := reconciletest.NewWorld(t)
	users := func(until string) string {
		text := "users:\n  - {name: keep}\n  - {name: dan}\n  - {name: eve}\n"
		for i := range 6 {
			text += fmt.Sprintf("  - {name: contractor%d%s}\n", i, until)
		}
		return text
	}
	w.MustApply(reconciletest.Parse(t, users("")))
	w.Rules.MaxRemovals = reconciletest.Limit(t, "100%")
	w.MustApply(reconciletest.Parse(t, users(", until: 2026-02-28")))
	w.MustApply(reconciletest.Parse(t, "users: [{name: keep}, {name: dan}, {name: eve}]"))
	for i := range 6 {
		if _, err := w.Put(w.Users, fmt.Sprintf("contractor%d", i), reconciletest.KVVersion{Credential: &reconcile.Credential{}}, 0); err != nil {
			t.Fatal(err)
		}
	}
	if held := w.Conflicts("users: [{name: keep}, {name: dan}]"); len(held) != 6 || w.Users["eve"] != nil || w.Users["contractor0"] == nil {
		t.Errorf("held %q; eve: %v, contractor0: %v", held, w.Users["eve"], w.Users["contractor0"])
	}
}

// TestEpochOutlivesReasons: after a removal that was cut off the name comes back in a later epoch, whatever the file said before
// or says after.
func TestEpochOutlivesReasons(t *testing.T) {
	const bob, lapsed, x = "  - {name: bob, clusterRoles: [view]}\n", "  - {name: bob, clusterRoles: [view], until: 2026-02-28}\n", "users:\n  - {name: x}\n"
	for sentence, order := range map[string][]string{
		"lapsed, then gone from the file": {x + lapsed, x},
		"gone from the file, then lapsed": {x, x + lapsed},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			w.MustApply(reconciletest.Parse(t, x+bob))
			w.Fail = reconciletest.Failing("delete ClusterRoleBinding certsync:test:user:bob", reconciletest.ErrBoom)
			for _, text := range order {
				if o, err := w.Apply(reconciletest.Parse(t, text)); err != nil || o.Failed() == 0 {
					t.Fatalf("%v, %q", err, reconciletest.Results(o))
				}
			}
			w.Fail = nil
			w.MustApply(reconciletest.Parse(t, x+bob))
			if w.Served("bob") != nil || w.Served("bob#2") == nil {
				t.Errorf("bob has %q, bob#2 %q", w.Served("bob"), w.Served("bob#2"))
			}
			w.MustApply(reconciletest.Parse(t, order[1]))
			w.MustApply(reconciletest.Parse(t, x+bob))
			now, before := "bob#3", "bob#2"
			if order[1] != x { // he stayed in the file
				now, before = "bob#2", "bob#3"
			}
			if w.Served("bob") != nil || w.Served(before) != nil || w.Served(now) == nil {
				t.Errorf("back again, bob has %q, %s %q, %s %q", w.Served("bob"), before, w.Served(before), now, w.Served(now))
			}
		})
	}
}

// TestRenameWaitsForGroups: the old name keeps all that the new one has not, in whichever binding.
func TestRenameWaitsForGroups(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	w.Fail = reconciletest.Failing("update "+reconciletest.GroupView, reconciletest.ErrBoom)
	if o, err := w.Apply(reconciletest.Renamed(t)); err != nil || o.Failed() == 0 {
		t.Fatal(err)
	}
	if w.Users["alice"] == nil || len(w.Served("alice")) != 2 {
		t.Errorf("alice has %q", w.Served("alice"))
	}
	w.Fail = nil
	w.MustApply(reconciletest.Renamed(t))
	if w.Users["alice"] != nil || w.Served("alice") != nil {
		t.Errorf("alice has %q", w.Served("alice"))
	}
}

// TestTwoOldNames: both stay until the new one is there.
func TestTwoOldNames(t *testing.T) {
	const groups, others = "groups: [{name: devs, clusterRoles: [view]}]\nusers:\n", "  - {name: x, groups: [devs]}\n  - {name: yy}\n"
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, groups+"  - {name: b, groups: [devs]}\n  - {name: c, groups: [devs]}\n  - {name: x}\n  - {name: yy}\n"))
	after := reconciletest.Parse(t, groups+"  - {name: a, previously: [b, c], groups: [devs]}\n"+others)
	w.Fail = reconciletest.Failing("issue a ", reconciletest.ErrBoom)
	if o, err := w.Apply(after); err != nil || o.Failed() == 0 {
		t.Fatal(err)
	}
	if got := reconciletest.SortedSetOf(w.Subjects(reconciletest.GroupView)); !slices.Equal(got, []string{"b", "c", "x"}) {
		t.Errorf("subjects %q", got)
	}
	w.Fail = nil
	w.MustApply(after)
	if got := reconciletest.SortedSetOf(w.Subjects(reconciletest.GroupView)); !slices.Equal(got, []string{"a", "x"}) {
		t.Errorf("subjects %q", got)
	}
}

// TestRenameKeepsNoRole: a rename that waits suspends no end and no role that was taken away, and a denied one is a note.
func TestRenameKeepsNoRole(t *testing.T) {
	const after = "users: [{name: alicia, previously: [alice], clusterRoles: [{name: admin, until: 2026-03-02}, edit]}, {name: x}]"
	begin := func(t *testing.T) *reconciletest.World {
		w := reconciletest.NewWorld(t)
		w.MustApply(reconciletest.Parse(t, "users: [{name: alice, clusterRoles: [admin, view, edit]}, {name: x}]"))
		return w
	}
	t.Run("held", func(t *testing.T) {
		w := begin(t)
		if _, err := w.Put(w.Users, "alicia", reconciletest.KVVersion{}, 0); err != nil {
			t.Fatal(err)
		}
		w.Holding(after)
		w.Now = w.Now.Add(72 * time.Hour)
		w.Holding(after)
		if got := w.Served("alice"); !slices.Equal(got, []string{"ClusterRoleBinding certsync:test:user:alice:edit"}) {
			t.Errorf("alice has %q", got)
		}
	})
	t.Run("denied", func(t *testing.T) {
		w := begin(t)
		w.Fail = reconciletest.Failing("issue alicia", reconcile.Denial{Request: "certsync-x", At: w.Now})
		if o, err := w.Apply(reconciletest.Parse(t, after)); err != nil || o.Failed() == 0 {
			t.Fatal(err)
		}
		w.Fail = nil
		if p := w.Plan(reconciletest.Parse(t, after)); p.Changes() || !slices.Contains(reconciletest.Kinds(p), "request-denied alicia") || w.Users["alice"] == nil {
			t.Errorf("plan: %q, %q", reconciletest.Lines(p), reconciletest.Kinds(p))
		}
	})
}

// TestPlantedReplacement: a binding that somebody planted under the new role's name costs nobody the old role.
func TestPlantedReplacement(t *testing.T) {
	const text = "groups: [{name: devs, namespaces: {staging: [%[1]s]}}]\nusers: [{name: a, groups: [devs], clusterRoles: [%[1]s]}, {name: b, groups: [devs]}]"
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, fmt.Sprintf(text, "view")))
	for _, g := range []reconcile.Grant{{For: reconcile.ForGroup, Subject: "devs", Namespace: "staging", Role: "edit", Part: 1}, {For: reconcile.ForUser, Subject: "a", Role: "edit", Part: 1}} {
		p := reconcile.NewBinding("test", g, []string{"mallory"})
		p.ManagedBy, p.Owner, p.UID, p.ResourceVersion = "", "", w.Next(), w.Next()
		w.Bindings[p.Object()] = p
	}
	w.Holding(fmt.Sprintf(text, "edit"))
	if got := w.Served("a"); len(got) != 2 || len(w.Served("mallory")) > 0 {
		t.Errorf("a has %q, mallory %q", got, w.Served("mallory"))
	}
}

// TestDeniedIsLookedAt: a denial hides no conflict.
func TestDeniedIsLookedAt(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.Fail = reconciletest.Failing("issue bob", reconcile.Denial{Request: "certsync-x", At: w.Now})
	if o, err := w.Apply(reconciletest.Parse(t, reconciletest.Team)); err != nil || o.Failed() != 1 {
		t.Fatal(err)
	}
	w.Fail = nil
	if _, err := w.Put(w.Users, "bob", reconciletest.KVVersion{}, 0); err != nil {
		t.Fatal(err)
	}
	if got := w.Conflicts(reconciletest.Team); len(got) != 1 || !strings.Contains(got[0], "--adopt users/bob") {
		t.Errorf("held: %q", got)
	}
}

// TestExpected: a plan that would change something is the expected one, or nothing is written; with guards, or under
// --hold.
func TestExpected(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.Rules.Expect = w.Plan(reconciletest.Parse(t, reconciletest.Team)).Digest()
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	w.MustApply(reconciletest.Parse(t, reconciletest.Team)) // nothing to do
	if got := w.Refused(reconciletest.Crew(8)); len(got) < 2 || !strings.HasSuffix(got[len(got)-1], "(--expect)") {
		t.Errorf("refused %q", got)
	}
	w.Hold = true
	if got := w.Refused(reconciletest.Crew(8)); len(got) != 1 || !strings.HasSuffix(got[0], "(--expect)") {
		t.Errorf("with --hold: refused %q", got)
	}
}
