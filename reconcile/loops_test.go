package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestUnseenPlan: under --yes nobody has agreed to one plan, and the one that is made under the lock is carried out. A
// plan that somebody has seen is carried out as it was, or not at all.
func TestUnseenPlan(t *testing.T) {
	changes := map[string]struct {
		change  func(w *world) // while the lock is taken
		refused string         // what a run under --yes is refused for
		failed  int            // its steps that do not end well
		writes  bool
	}{
		"a tenant's binding came": {change: func(w *world) {
			b := newBinding("test", Grant{For: ForGroup, Subject: "x", Namespace: "staging", Role: "view", Part: 7}, []string{"mallory"})
			b.UID, b.ResourceVersion = w.next(), w.next()
			w.bindings[b.Object()] = b
		}, writes: true},
		"a secret was planted": {change: func(w *world) { _, _ = w.put(w.users, "user08", kvVersion{}, 0) }, failed: 1, writes: true},
		"everybody was lost":   {change: func(w *world) { w.state = nil }, refused: "(--new-ledger)"},
		"another run has done it": {change: func(w *world) {
			consent := w.consent
			w.consent = nil
			w.mu.Unlock()
			w.mustApply(parse(w.t, crew(9, 0)))
			w.mu.Lock()
			w.consent, w.calls = consent, nil
		}},
		"a right is missing": {change: func(w *world) {
			w.bindings = map[string]Binding{}
			w.lacks = []Permission{{Verb: "create", Resource: "clusterrolebindings"}}
		}, refused: "may not: create clusterrolebindings"},
	}
	for sentence, tt := range changes {
		for _, unseen := range []bool{true, false} {
			t.Run(sentence+map[bool]string{true: ", unseen", false: ", seen"}[unseen], func(t *testing.T) {
				w := newWorld(t)
				w.mustApply(parse(t, crew(8)))
				var asked []string
				w.unseen, w.consent = unseen, func(p Plan) error { asked = append(asked, p.Digest()); return nil }
				w.fail = func(call string) error {
					if call == "lock" {
						w.fail = nil
						tt.change(w)
					}
					return nil
				}
				o, err := w.apply(parse(t, crew(9, 0)))
				switch wrote := slices.ContainsFunc(w.writes(), func(c string) bool { return c != "write state" }); {
				case !unseen:
					if !isRefused(err) || wrote || len(asked) != 1 {
						t.Errorf("%v, wrote %q, asked %d times", err, w.writes(), len(asked))
					}
				case tt.refused != "":
					if err == nil || !strings.Contains(err.Error(), tt.refused) || len(w.writes()) > 0 || len(asked) > 0 {
						t.Errorf("%v, wrote %q, asked %d times", err, w.writes(), len(asked))
					}
				case err != nil || o.Failed() != tt.failed || wrote != tt.writes:
					t.Errorf("%v, %q, wrote %q", err, results(o), w.writes())
				case w.users["user00"] != nil || len(w.served("user00")) > 0:
					t.Errorf("the leaver has %q", w.served("user00"))
				case wrote && !slices.Equal(asked, []string{o.Plan.Digest()}):
					t.Errorf("asked for %q, carried out %q", asked, o.Plan.Digest())
				}
			})
		}
	}
}

// TestLoops: somebody who changes an object before every call of a run, such as a tenant or whoever may write one path in
// Vault, stops nobody's removal and nobody's issue.
func TestLoops(t *testing.T) {
	lap := 0
	for sentence, change := range map[string]func(w *world){
		"a binding comes and goes": func(w *world) {
			for object, b := range w.bindings {
				if strings.HasSuffix(b.Name, fmt.Sprintf("#%d", lap+10)) {
					delete(w.bindings, object)
				}
			}
			lap++
			b := newBinding("test", Grant{For: ForGroup, Subject: "x", Namespace: "staging", Role: "view", Part: lap + 10}, []string{"mallory"})
			b.UID, b.ResourceVersion = w.next(), w.next()
			w.bindings[b.Object()] = b
		},
		"a binding of ours is touched": func(w *world) {
			if b, ok := w.bindings[groupView]; ok {
				b.ResourceVersion = w.next()
				w.bindings[groupView] = b
			}
		},
		"a credential is written": func(w *world) { w.write(w.users, "user01", kvVersion{}) },
		"a record is written":     func(w *world) { w.write(w.ledger, "user01", kvVersion{record: &Record{User: "eve"}}) },
		"a leaver's credential is written": func(w *world) {
			if w.users["user00"] != nil {
				w.write(w.users, "user00", kvVersion{})
			}
		},
		"a leaver's record is written": func(w *world) { w.write(w.ledger, "user00", kvVersion{record: &Record{User: "eve"}}) },
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			w.mustApply(parse(t, crew(8)))
			w.unseen = true
			w.fail = func(string) error { change(w); return nil }
			o, err := w.apply(parse(t, crew(9, 0)))
			if err != nil || w.users["user08"] == nil || len(w.served("user00")) > 0 || len(w.served("user08")) != 2 {
				t.Errorf("%v, %q; the leaver has %q, the newcomer %q", err, results(o), w.served("user00"), w.served("user08"))
			}
			if leaver := strings.Contains(sentence, "leaver"); !leaver && w.users["user00"] != nil {
				t.Error("the leaver's credential is still there")
			}
			for _, e := range o.Events {
				if e.Result != Done && e.User != "user01" && e.User != "user00" && e.Group != "x" {
					t.Errorf("%s %s%s: %s", e.Action, e.User, e.Group, e.Error)
				}
			}
		})
	}
}

// TestConflictKeepsTheDigest: whoever writes one path all the time does not change the plan that somebody reviews.
func TestConflictKeepsTheDigest(t *testing.T) {
	w := newWorld(t)
	w.mustApply(parse(t, crew(8)))
	w.write(w.users, "user01", kvVersion{})
	first := w.plan(parse(t, crew(9, 0)))
	w.write(w.users, "user01", kvVersion{})
	second := w.plan(parse(t, crew(9, 0)))
	if first.Digest() != second.Digest() || len(first.Skipped()) == 0 || first.Skipped()[0].Held == second.Skipped()[0].Held {
		t.Errorf("%s, then %s", first.Digest(), second.Digest())
	}
	w.rules.Adopt = []string{"users/user01"}
	if lifted := w.plan(parse(t, crew(9, 0))); lifted.Digest() == first.Digest() {
		t.Error("a step that is not held any more does not change the digest")
	}
}

// TestPlantedBindingsRefuseNothing: a tenant makes bindings under certsync's names for people whom the inventory has, one of
// them protected. The leaver is out in the first run.
func TestPlantedBindingsRefuseNothing(t *testing.T) {
	for sentence, planted := range map[string][]string{
		"somebody protected": {"user03"},
		"many":               {"user01", "user02", "user04", "user05", "user06", "user07"},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			w.mustApply(parse(t, crew(8)))
			for _, role := range []string{"admin", "edit", "view"} {
				b := newBinding("test", Grant{For: ForGroup, Subject: "devs", Namespace: "staging", Role: role, Part: 1}, planted)
				b.UID, b.ResourceVersion = w.next(), w.next()
				w.bindings[b.Object()] = b
			}
			w.unseen, w.rules.Protect = true, []string{"user03"}
			o, err := w.apply(parse(t, crew(9, 0)))
			if err != nil || w.users["user00"] != nil || len(w.served("user00")) > 0 || len(w.served("user08")) != 2 {
				t.Errorf("%v, %q; the leaver has %q, the newcomer %q", err, results(o), w.served("user00"), w.served("user08"))
			}
		})
	}
}

// TestPlantedBindingIsNobodysHistory: a tenant's binding for a name is no sign that certsync has ever known that name.
func TestPlantedBindingIsNobodysHistory(t *testing.T) {
	w := newWorld(t)
	w.mustApply(parse(t, crew(2)))
	w.write(w.users, "zed", kvVersion{credential: &Credential{}})
	for _, user := range []string{"zed", "root"} {
		b := newBinding("test", Grant{For: ForUser, Subject: user, Namespace: "staging", Role: "view", Part: 1}, []string{user})
		b.UID, b.ResourceVersion = w.next(), w.next()
		w.bindings[b.Object()] = b
	}
	p := w.plan(parse(t, crew(2)+"  - {name: root}\n"))
	if got := lines(p); !slices.Contains(got, "issue root [new-user]") || !slices.Contains(got, "remove zed [foreign-credential not-in-inventory] held") {
		t.Errorf("%q", got)
	}
}

// TestConflictIsNoHeldBack: whoever writes one path does not make the next run count drift as removals.
func TestConflictIsNoHeldBack(t *testing.T) {
	w := newWorld(t)
	w.mustApply(parse(t, crew(8)))
	w.write(w.users, "user01", kvVersion{})
	if o, err := w.apply(parse(t, crew(9))); err != nil || o.Failed() != 1 || w.state.HeldBack {
		t.Errorf("%v, %q, held back: %t", err, results(o), w.state.HeldBack)
	}
}

// TestPlantedBindingHoldsNoRename: a tenant takes the name of a binding that somebody should get under a new name. The old
// name loses its access all the same.
func TestPlantedBindingHoldsNoRename(t *testing.T) {
	w := newWorld(t)
	const roles = ", clusterRoles: [edit], namespaces: {staging: [view]}"
	w.mustApply(parse(t, "users:\n  - {name: alice"+roles+"}\n"))
	b := newBinding("test", Grant{For: ForUser, Subject: "alicia", Namespace: "staging", Role: "view", Part: 1}, []string{"mallory"})
	b.UID, b.ResourceVersion, b.ManagedBy, b.Owner = w.next(), w.next(), "", ""
	w.bindings[b.Object()] = b
	o, err := w.apply(parse(t, "users:\n  - {name: alicia"+roles+", previously: [alice]}\n"))
	if err != nil || len(w.served("alice")) > 0 || w.users["alice"] != nil || len(w.served("alicia")) != 1 {
		t.Errorf("%v, %q; the old name has %q, the new one %q", err, results(o), w.served("alice"), w.served("alicia"))
	}
}
