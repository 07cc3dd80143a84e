package apply_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestUnseenPlan: under --yes nobody has agreed to one plan, and the one that is made under the lock is carried out. A
// plan that somebody has seen is carried out as it was, or not at all.
func TestUnseenPlan(t *testing.T) {
	changes := map[string]struct {
		change  func(w *reconciletest.World) // while the lock is taken
		refused string                       // what a run under --yes is refused for
		failed  int                          // its steps that do not end well
		writes  bool
	}{
		"a tenant's binding came": {change: func(w *reconciletest.World) {
			b := reconcile.NewBinding("test", reconcile.Grant{For: reconcile.ForGroup, Subject: "x", Namespace: "staging", Role: "view", Part: 7}, []string{"mallory"})
			b.UID, b.ResourceVersion = w.Next(), w.Next()
			w.Bindings[b.Object()] = b
		}, writes: true},
		"a secret was planted": {change: func(w *reconciletest.World) { _, _ = w.Put(w.Users, "user08", reconciletest.KVVersion{}, 0) }, failed: 1, writes: true},
		"everybody was lost":   {change: func(w *reconciletest.World) { w.State = nil }, refused: "(--new-ledger)"},
		"another run has done it": {change: func(w *reconciletest.World) {
			consent := w.Consent
			w.Consent = nil
			w.Mu.Unlock()
			w.MustApply(reconciletest.Parse(w.T, reconciletest.Crew(9, 0)))
			w.Mu.Lock()
			w.Consent, w.Calls = consent, nil
		}},
		"a right is missing": {change: func(w *reconciletest.World) {
			w.Bindings = map[string]reconcile.Binding{}
			w.Denies = []reconcile.Permission{{Verb: "create", Resource: "clusterrolebindings"}}
		}, refused: "may not: create clusterrolebindings"},
	}
	for sentence, tt := range changes {
		for _, unseen := range []bool{true, false} {
			t.Run(sentence+map[bool]string{true: ", unseen", false: ", seen"}[unseen], func(t *testing.T) {
				w := reconciletest.NewWorld(t)
				w.MustApply(reconciletest.Parse(t, reconciletest.Crew(8)))
				var asked []string
				w.Unseen, w.Consent = unseen, func(p reconcile.Plan) error { asked = append(asked, p.Digest()); return nil }
				w.Fail = func(call string) error {
					if call == "lock" {
						w.Fail = nil
						tt.change(w)
					}
					return nil
				}
				o, err := w.Apply(reconciletest.Parse(t, reconciletest.Crew(9, 0)))
				switch wrote := slices.ContainsFunc(w.Writes(), func(c string) bool { return c != "write state" }); {
				case !unseen:
					if !reconciletest.IsRefused(err) || wrote || len(asked) != 1 {
						t.Errorf("%v, wrote %q, asked %d times", err, w.Writes(), len(asked))
					}
				case tt.refused != "":
					if err == nil || !strings.Contains(err.Error(), tt.refused) || len(w.Writes()) > 0 || len(asked) > 0 {
						t.Errorf("%v, wrote %q, asked %d times", err, w.Writes(), len(asked))
					}
				case err != nil || o.Failed() != tt.failed || wrote != tt.writes:
					t.Errorf("%v, %q, wrote %q", err, reconciletest.Results(o), w.Writes())
				case w.Users["user00"] != nil || len(w.Served("user00")) > 0:
					t.Errorf("the leaver has %q", w.Served("user00"))
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
	for sentence, change := range map[string]func(w *reconciletest.World){
		"a binding comes and goes": func(w *reconciletest.World) {
			for object, b := range w.Bindings {
				if strings.HasSuffix(b.Name, fmt.Sprintf("#%d", lap+10)) {
					delete(w.Bindings, object)
				}
			}
			lap++
			b := reconcile.NewBinding("test", reconcile.Grant{For: reconcile.ForGroup, Subject: "x", Namespace: "staging", Role: "view", Part: lap + 10}, []string{"mallory"})
			b.UID, b.ResourceVersion = w.Next(), w.Next()
			w.Bindings[b.Object()] = b
		},
		"a binding of ours is touched": func(w *reconciletest.World) {
			if b, ok := w.Bindings[reconciletest.GroupView]; ok {
				b.ResourceVersion = w.Next()
				w.Bindings[reconciletest.GroupView] = b
			}
		},
		"a credential is written": func(w *reconciletest.World) { w.Write(w.Users, "user01", reconciletest.KVVersion{}) },
		"a record is written": func(w *reconciletest.World) {
			w.Write(w.Ledger, "user01", reconciletest.KVVersion{Record: &reconcile.Record{User: "eve"}})
		},
		"a leaver's credential is written": func(w *reconciletest.World) {
			if w.Users["user00"] != nil {
				w.Write(w.Users, "user00", reconciletest.KVVersion{})
			}
		},
		"a leaver's record is written": func(w *reconciletest.World) {
			w.Write(w.Ledger, "user00", reconciletest.KVVersion{Record: &reconcile.Record{User: "eve"}})
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			w.MustApply(reconciletest.Parse(t, reconciletest.Crew(8)))
			w.Unseen = true
			w.Fail = func(string) error { change(w); return nil }
			o, err := w.Apply(reconciletest.Parse(t, reconciletest.Crew(9, 0)))
			if err != nil || w.Users["user08"] == nil || len(w.Served("user00")) > 0 || len(w.Served("user08")) != 2 {
				t.Errorf("%v, %q; the leaver has %q, the newcomer %q", err, reconciletest.Results(o), w.Served("user00"), w.Served("user08"))
			}
			if leaver := strings.Contains(sentence, "leaver"); !leaver && w.Users["user00"] != nil {
				t.Error("the leaver's credential is still there")
			}
			for _, e := range o.Events {
				if e.Result != reconcile.Done && e.User != "user01" && e.User != "user00" && e.Group != "x" {
					t.Errorf("%s %s%s: %s", e.Action, e.User, e.Group, e.Error)
				}
			}
		})
	}
}

// TestConflictKeepsTheDigest: whoever writes one path all the time does not change the plan that somebody reviews.
func TestConflictKeepsTheDigest(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Crew(8)))
	w.Write(w.Users, "user01", reconciletest.KVVersion{})
	first := w.Plan(reconciletest.Parse(t, reconciletest.Crew(9, 0)))
	w.Write(w.Users, "user01", reconciletest.KVVersion{})
	second := w.Plan(reconciletest.Parse(t, reconciletest.Crew(9, 0)))
	if first.Digest() != second.Digest() || len(first.Skipped()) == 0 || first.Skipped()[0].Held == second.Skipped()[0].Held {
		t.Errorf("%s, then %s", first.Digest(), second.Digest())
	}
	w.Rules.Adopt = []string{"user01"}
	if lifted := w.Plan(reconciletest.Parse(t, reconciletest.Crew(9, 0))); lifted.Digest() == first.Digest() {
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
			w := reconciletest.NewWorld(t)
			w.MustApply(reconciletest.Parse(t, reconciletest.Crew(8)))
			for _, role := range []string{"admin", "edit", "view"} {
				b := reconcile.NewBinding("test", reconcile.Grant{For: reconcile.ForGroup, Subject: "devs", Namespace: "staging", Role: role, Part: 1}, planted)
				b.UID, b.ResourceVersion = w.Next(), w.Next()
				w.Bindings[b.Object()] = b
			}
			w.Unseen, w.Rules.Protect = true, []string{"user03"}
			o, err := w.Apply(reconciletest.Parse(t, reconciletest.Crew(9, 0)))
			if err != nil || w.Users["user00"] != nil || len(w.Served("user00")) > 0 || len(w.Served("user08")) != 2 {
				t.Errorf("%v, %q; the leaver has %q, the newcomer %q", err, reconciletest.Results(o), w.Served("user00"), w.Served("user08"))
			}
		})
	}
}

// TestPlantedBindingIsNobodysHistory: a tenant's binding for a name is no sign that certsync has ever known that name.
func TestPlantedBindingIsNobodysHistory(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Crew(2)))
	w.Write(w.Users, "zed", reconciletest.KVVersion{Credential: &reconcile.Credential{}})
	for _, user := range []string{"zed", "root"} {
		b := reconcile.NewBinding("test", reconcile.Grant{For: reconcile.ForUser, Subject: user, Namespace: "staging", Role: "view", Part: 1}, []string{user})
		b.UID, b.ResourceVersion = w.Next(), w.Next()
		w.Bindings[b.Object()] = b
	}
	p := w.Plan(reconciletest.Parse(t, reconciletest.Crew(2)+"  - {name: root}\n"))
	if got := reconciletest.Lines(p); !slices.Contains(got, "issue root [new-user]") || !slices.Contains(got, "remove zed [foreign-credential not-in-inventory] held") {
		t.Errorf("%q", got)
	}
}

// TestPlantedBindingHoldsNoRename: a tenant takes the name of a binding that somebody should get under a new name. The new
// name gets it, and the old one loses its access.
func TestPlantedBindingHoldsNoRename(t *testing.T) {
	w := reconciletest.NewWorld(t)
	const roles = ", clusterRoles: [edit], namespaces: {staging: [view]}"
	w.MustApply(reconciletest.Parse(t, "users:\n  - {name: alice"+roles+"}\n"))
	b := reconcile.NewBinding("test", reconcile.Grant{For: reconcile.ForUser, Subject: "alicia", Namespace: "staging", Role: "view", Part: 1}, []string{"mallory"})
	b.UID, b.ResourceVersion, b.ManagedBy, b.Owner = w.Next(), w.Next(), "", ""
	w.Bindings[b.Object()] = b
	o, err := w.Apply(reconciletest.Parse(t, "users:\n  - {name: alicia"+roles+", previously: [alice]}\n"))
	if err != nil || len(w.Served("alice")) > 0 || w.Users["alice"] != nil || len(w.Served("alicia")) != 2 {
		t.Errorf("%v, %q; the old name has %q, the new one %q", err, reconciletest.Results(o), w.Served("alice"), w.Served("alicia"))
	}
}
