package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestHeldBindingsKeepNoLeaver: what is held of a binding is held for those who count; who left, or whose time is over,
// is out.
func TestHeldBindingsKeepNoLeaver(t *testing.T) {
	const groups, roles = "groups: [{name: g1%[1]s}, {name: g2%[1]s}]\nusers:\n  - {name: alice, groups: [g1, g2]}\n  - {name: bob, groups: [g1, g2]}\n", ", clusterRoles: [view]"
	for sentence, zed := range map[string]string{"left": "", "lapsed": "  - {name: zed, groups: [g1, g2], until: 2026-02-28}\n"} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			w.mustApply(parse(t, fmt.Sprintf(groups, roles)+"  - {name: zed, groups: [g1, g2]}\n"))
			held := w.holding(fmt.Sprintf(groups, "") + zed)
			if len(held) != 4 || len(w.served("alice")) != 2 {
				t.Errorf("held %q, alice has %q", held, w.served("alice"))
			}
			if got := w.served("zed"); got != nil || w.users["zed"] != nil {
				t.Errorf("zed has %q", got)
			}
		})
	}
}

// TestLabelledFlood: whoever may make bindings and label them, or add people to ours, stops neither the mending of that
// nor anything else.
func TestLabelledFlood(t *testing.T) {
	w := newWorld(t)
	before := crew(8) + "  - {name: ops1, groups: [ops]}\n"
	before = strings.Replace(before, "clusterRoles: [view]}]", "clusterRoles: [view]}, {name: ops, clusterRoles: [admin]}]", 1)
	w.mustApply(parse(t, before))
	for i := range 20 {
		b := newBinding("test", Grant{For: ForUser, Subject: fmt.Sprintf("m%d", i), Namespace: "staging", Role: "edit", Part: 1}, []string{"mallory"})
		b.UID, b.ResourceVersion = w.next(), w.next()
		w.bindings[b.Object()] = b
	}
	const ops = "ClusterRoleBinding certsync:test:group:ops:admin"
	b := w.bindings[ops]
	for i := range 8 {
		b.Subjects = append(b.Subjects, UserSubject(fmt.Sprintf("user%02d", i)))
	}
	b.ResourceVersion = w.next()
	w.bindings[ops] = b
	w.mustApply(parse(t, before))
	w.mustApply(parse(t, strings.Replace(before, "user07, groups: [devs]", "user07", 1)))
	if got := w.subjects(ops); !slices.Equal(got, []string{"ops1"}) || w.served("mallory") != nil || slices.Contains(w.served("user07"), groupView) {
		t.Errorf("ops: %q, mallory: %q, user07: %q", got, w.served("mallory"), w.served("user07"))
	}
}

// TestOneRoleForAnother: a group's new role excuses the end of its old one, not that people leave the group with it.
func TestOneRoleForAnother(t *testing.T) {
	w := newWorld(t)
	w.mustApply(parse(t, crew(10)))
	fewer := strings.Replace(crew(10), "[view]", "[edit]", 1)
	for i := range 9 {
		fewer = strings.Replace(fewer, fmt.Sprintf("user%02d, groups: [devs],", i), fmt.Sprintf("user%02d,", i), 1)
	}
	if got := w.refused(fewer); len(got) != 1 || !strings.Contains(got[0], "would take 9 of 20 subjects out of their bindings") {
		t.Errorf("refused %q", got)
	}
	w.mustApply(parse(t, strings.Replace(crew(10), "[view]", "[edit]", 1)))
}

// TestTidying: who left or lapsed before is nobody who is removed, and a secret that somebody plants for them neither.
func TestTidying(t *testing.T) {
	w := newWorld(t)
	users := func(until string) string {
		text := "users:\n  - {name: keep}\n  - {name: dan}\n  - {name: eve}\n"
		for i := range 6 {
			text += fmt.Sprintf("  - {name: contractor%d%s}\n", i, until)
		}
		return text
	}
	w.mustApply(parse(t, users("")))
	w.mustApply(parse(t, users(", until: 2026-02-28")))
	w.mustApply(parse(t, "users: [{name: keep}, {name: dan}, {name: eve}]"))
	for i := range 6 {
		if _, err := w.put(w.users, fmt.Sprintf("contractor%d", i), kvVersion{credential: &Credential{}}, 0); err != nil {
			t.Fatal(err)
		}
	}
	w.mustApply(parse(t, "users: [{name: keep}, {name: dan}]"))
	if w.users["eve"] != nil || w.users["contractor0"] != nil {
		t.Error("somebody stayed")
	}
}

// TestQuarantineOutlivesReasons: a removal that was cut off quarantines, whatever the file said before or says after.
func TestQuarantineOutlivesReasons(t *testing.T) {
	const bob, lapsed, x = "  - {name: bob, clusterRoles: [view]}\n", "  - {name: bob, clusterRoles: [view], until: 2026-02-28}\n", "users:\n  - {name: x}\n"
	for sentence, order := range map[string][]string{
		"lapsed, then gone from the file": {x + lapsed, x},
		"gone from the file, then lapsed": {x, x + lapsed},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			w.mustApply(parse(t, x+bob))
			w.fail = failing("delete ClusterRoleBinding certsync:test:user:bob", errBoom)
			for _, text := range order {
				if o, err := w.apply(parse(t, text)); err != nil || o.Failed() == 0 {
					t.Fatalf("%v, %q", err, results(o))
				}
			}
			w.fail = nil
			if got := w.conflicts(x + bob); len(got) != 1 || !strings.Contains(got[0], "quarantined") {
				t.Errorf("held: %q", got)
			}
			w.mustApply(parse(t, order[1]))
			if got := w.conflicts(x + bob); len(got) != 1 || !strings.Contains(got[0], "quarantined") {
				t.Errorf("after the end of the removal: held: %q", got)
			}
		})
	}
}

// TestRenameWaitsForGroups: the old name keeps all that the new one has not, in whichever binding.
func TestRenameWaitsForGroups(t *testing.T) {
	w := newWorld(t)
	w.mustApply(parse(t, team))
	w.fail = failing("update "+groupView, errBoom)
	if o, err := w.apply(renamed(t)); err != nil || o.Failed() == 0 {
		t.Fatal(err)
	}
	if w.users["alice"] == nil || len(w.served("alice")) != 2 {
		t.Errorf("alice has %q", w.served("alice"))
	}
	w.fail = nil
	w.mustApply(renamed(t))
	if w.users["alice"] != nil || w.served("alice") != nil {
		t.Errorf("alice has %q", w.served("alice"))
	}
}

// TestTwoOldNames: both stay until the new one is there.
func TestTwoOldNames(t *testing.T) {
	const groups, others = "groups: [{name: devs, clusterRoles: [view]}]\nusers:\n", "  - {name: x, groups: [devs]}\n  - {name: yy}\n"
	w := newWorld(t)
	w.mustApply(parse(t, groups+"  - {name: b, groups: [devs]}\n  - {name: c, groups: [devs]}\n  - {name: x}\n  - {name: yy}\n"))
	after := parse(t, groups+"  - {name: a, previously: [b, c], groups: [devs]}\n"+others)
	w.fail = failing("issue a ", errBoom)
	if o, err := w.apply(after); err != nil || o.Failed() == 0 {
		t.Fatal(err)
	}
	if got := sortedSetOf(w.subjects(groupView)); !slices.Equal(got, []string{"b", "c", "x"}) {
		t.Errorf("subjects %q", got)
	}
	w.fail = nil
	w.mustApply(after)
	if got := sortedSetOf(w.subjects(groupView)); !slices.Equal(got, []string{"a", "x"}) {
		t.Errorf("subjects %q", got)
	}
}

// TestRenameKeepsNoRole: a rename that waits suspends no end and no role that was taken away, and a denied one is a note.
func TestRenameKeepsNoRole(t *testing.T) {
	const after = "users: [{name: alicia, previously: [alice], clusterRoles: [{name: admin, until: 2026-03-02}, edit]}, {name: x}]"
	begin := func(t *testing.T) *world {
		w := newWorld(t)
		w.mustApply(parse(t, "users: [{name: alice, clusterRoles: [admin, view, edit]}, {name: x}]"))
		return w
	}
	t.Run("held", func(t *testing.T) {
		w := begin(t)
		if _, err := w.put(w.users, "alicia", kvVersion{}, 0); err != nil {
			t.Fatal(err)
		}
		w.holding(after)
		w.now = w.now.Add(72 * time.Hour)
		w.holding(after)
		if got := w.served("alice"); !slices.Equal(got, []string{"ClusterRoleBinding certsync:test:user:alice:edit"}) {
			t.Errorf("alice has %q", got)
		}
	})
	t.Run("denied", func(t *testing.T) {
		w := begin(t)
		w.fail = failing("issue alicia", Denial{Request: "certsync-x", At: w.now})
		if o, err := w.apply(parse(t, after)); err != nil || o.Failed() == 0 {
			t.Fatal(err)
		}
		w.fail = nil
		if p := w.plan(parse(t, after)); p.Changes() || !slices.Contains(kinds(p), "request-denied alicia") || w.users["alice"] == nil {
			t.Errorf("plan: %q, %q", lines(p), kinds(p))
		}
	})
}

// TestPlantedReplacement: a binding that somebody planted under the new role's name costs nobody the old role.
func TestPlantedReplacement(t *testing.T) {
	const text = "groups: [{name: devs, namespaces: {staging: [%[1]s]}}]\nusers: [{name: a, groups: [devs], clusterRoles: [%[1]s]}, {name: b, groups: [devs]}]"
	w := newWorld(t)
	w.mustApply(parse(t, fmt.Sprintf(text, "view")))
	for _, g := range []Grant{{For: ForGroup, Subject: "devs", Namespace: "staging", Role: "edit", Part: 1}, {For: ForUser, Subject: "a", Role: "edit", Part: 1}} {
		p := newBinding("test", g, []string{"mallory"})
		p.ManagedBy, p.Owner, p.UID, p.ResourceVersion = "", "", w.next(), w.next()
		w.bindings[p.Object()] = p
	}
	w.holding(fmt.Sprintf(text, "edit"))
	if got := w.served("a"); len(got) != 2 {
		t.Errorf("a has %q", got)
	}
}

// TestAdviceIsSafe: whoever may make bindings chooses what somebody is advised to paste into a shell.
func TestAdviceIsSafe(t *testing.T) {
	for name, want := range map[string]string{
		"certsync:test:user:a:x":             "RoleBinding/staging/certsync:test:user:a:x",
		"certsync:test:user:a:x$(curl evil)": "'RoleBinding/staging/certsync:test:user:a:x$(curl evil)'",
		"certsync:test:user:a:it's":          `'RoleBinding/staging/certsync:test:user:a:it'"'"'s'`,
		"certsync:test:user:a:\x1b[2J":       `'"RoleBinding/staging/certsync:test:user:a:\x1b[2J"'`,
	} {
		w := newWorld(t)
		w.bindings["RoleBinding staging/"+name] = Binding{Kind: RoleBinding, Namespace: "staging", Name: name, UID: "u", ResourceVersion: "1"}
		if got := w.conflicts("users: [{name: b}]"); !strings.Contains(strings.Join(got, " "), "--adopt "+want+")") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestDeniedIsLookedAt: a denial hides no conflict.
func TestDeniedIsLookedAt(t *testing.T) {
	w := newWorld(t)
	w.fail = failing("issue bob", Denial{Request: "certsync-x", At: w.now})
	if o, err := w.apply(parse(t, team)); err != nil || o.Failed() != 1 {
		t.Fatal(err)
	}
	w.fail = nil
	if _, err := w.put(w.users, "bob", kvVersion{}, 0); err != nil {
		t.Fatal(err)
	}
	if got := w.conflicts(team); len(got) != 1 || !strings.Contains(got[0], "--adopt users/bob") {
		t.Errorf("held: %q", got)
	}
}

// TestExpected: a plan that would change something is the expected one, or nothing is written; with guards, or under
// --hold.
func TestExpected(t *testing.T) {
	w := newWorld(t)
	w.rules.Expect = w.plan(parse(t, team)).Digest()
	w.mustApply(parse(t, team))
	w.mustApply(parse(t, team)) // nothing to do
	if got := w.refused(crew(8)); len(got) < 2 || !strings.HasSuffix(got[len(got)-1], "(--expect)") {
		t.Errorf("refused %q", got)
	}
	w.hold = true
	if got := w.refused(crew(8)); len(got) != 1 || !strings.HasSuffix(got[0], "(--expect)") {
		t.Errorf("with --hold: refused %q", got)
	}
}
