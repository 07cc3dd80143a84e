package apply_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// stagingEdit is the group's binding in a namespace of reconciletest.Team.
const stagingEdit = "RoleBinding staging/certsync:test:group:devs:edit"

// TestAltered: a binding of which a mutating policy makes something else is a failed step, at the run that makes it and at each
// run after that. All others are served. Once the policy is gone, so is the failure.
func TestAltered(t *testing.T) {
	eve := reconcile.UserSubject("eve")
	for name, tt := range map[string]struct {
		alter func(*reconcile.Binding)
		plan  string // that each later plan shows
	}{
		"a label is overwritten":    {func(b *reconcile.Binding) { b.ManagedBy = "Kyverno" }, "update devs [labels-missing]"},
		"a label is taken away":     {func(b *reconcile.Binding) { b.Owner = "" }, "update devs [labels-missing]"},
		"the annotation is changed": {func(b *reconcile.Binding) { b.Copied = true }, "update devs [labels-missing]"},
		"a subject is added": {func(b *reconcile.Binding) {
			if !slices.Contains(b.Subjects, eve) {
				b.Subjects = append(b.Subjects, eve)
			}
		}, "update devs [drifted]"},
		"a subject is dropped": {func(b *reconcile.Binding) {
			b.Subjects = slices.DeleteFunc(b.Subjects, func(s reconcile.Subject) bool { return s.Name == "bob" })
		}, "update devs [drifted]"},
		"the subjects are others": {func(b *reconcile.Binding) { b.Subjects = []reconcile.Subject{eve} }, "update devs [drifted]"},
	} {
		t.Run(name, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			inv := reconciletest.Parse(t, reconciletest.Team)
			policy := func(b *reconcile.Binding) {
				if b.Object() == stagingEdit {
					tt.alter(b)
				}
			}
			w.Alter = policy
			for range 3 { // the binding is made, and then updated
				o, err := w.Apply(inv)
				if err != nil || len(o.Ended(reconcile.Failed)) != 1 || o.Failed() != 1 {
					t.Fatalf("%v, %q", err, reconciletest.Results(o))
				}
				if e := o.Ended(reconcile.Failed)[0]; e.Object != stagingEdit || !strings.Contains(e.Error, "the API server stored something else") {
					t.Errorf("%+v", e)
				}
				if diff := cmp.Diff([]string{tt.plan}, plainLines(w.Plan(inv))); diff != "" {
					t.Error(diff)
				}
				if got := w.Subjects(reconciletest.GroupView); !slices.Equal(got, []string{"alice", "bob"}) || w.Users["carol"] == nil {
					t.Errorf("others are served: %q", got)
				}
			}
			w.Alter = nil
			w.MustApply(inv)
			if p := w.Plan(inv); p.Changes() {
				t.Errorf("plan: %q", reconciletest.Lines(p))
			}
		})
	}
}

// plainLines are the lines of a plan without objects.
func plainLines(p reconcile.Plan) []string {
	var out []string
	for _, s := range p.Steps {
		out = append(out, string(s.Action)+" "+s.User+s.Group+" ["+string(s.Reason)+"]")
	}
	return out
}

// TestAlteredHoldsNobody: where a policy overwrites a label at every write, or adds a subject, whoever leaves has left, whoever
// comes has come, and a changed role takes the place of the old one. Each such write fails for itself.
func TestAlteredHoldsNobody(t *testing.T) {
	eve := reconcile.UserSubject("eve")
	for name, alter := range map[string]func(*reconcile.Binding){
		"a label":   func(b *reconcile.Binding) { b.Owner = "somebody" },
		"a subject": func(b *reconcile.Binding) { b.Subjects = append(b.Subjects, eve) },
	} {
		t.Run(name, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			w.MustApply(reconciletest.Parse(t, reconciletest.Team))
			w.Alter = alter
			after := strings.NewReplacer("  - {name: bob, groups: [devs]}\n", "  - {name: dan, groups: [devs]}\n", "payments: [edit]", "payments: [view]").Replace(reconciletest.Team)
			o, err := w.Apply(reconciletest.Parse(t, after))
			if err != nil || o.Failed() == 0 {
				t.Fatalf("%v, %q", err, reconciletest.Results(o))
			}
			for _, e := range o.Events {
				write := e.Action == reconcile.Bind || e.Action == reconcile.Update
				if (e.Result == reconcile.Failed) != write || e.Result == reconcile.Held {
					t.Errorf("%s %s%s %s: %s %s", e.Action, e.User, e.Group, e.Object, e.Result, e.Error)
				}
			}
			rec := w.Ledger["bob"].Versions[w.Ledger["bob"].Current].Record
			if rec.State != reconcile.Removed || w.Users["bob"] != nil || len(w.Served("bob")) > 0 {
				t.Errorf("the leaver is %s, and has %q", rec.State, w.Served("bob"))
			}
			if got := w.Subjects(reconciletest.GroupView); !slices.Contains(got, "dan") || !slices.Contains(got, "alice") {
				t.Errorf("the group has %q", got)
			}
			if _, old := w.Bindings["RoleBinding payments/certsync:test:user:carol:edit"]; old || !slices.Contains(w.Subjects("RoleBinding payments/certsync:test:user:carol:view"), "carol") {
				t.Error("the new role did not take the place of the old one")
			}
		})
	}
}

// TestAlteredKeeps: a policy that drops the newcomer or puts a leaver back is no reason to say that either is done.
func TestAlteredKeeps(t *testing.T) {
	t.Run("the leaver", func(t *testing.T) {
		w := reconciletest.NewWorld(t)
		w.MustApply(reconciletest.Parse(t, reconciletest.Team))
		w.Alter = func(b *reconcile.Binding) {
			if bob := reconcile.UserSubject("bob"); b.Object() == reconciletest.GroupView {
				b.Subjects = append(b.Subjects, bob)
			}
		}
		o, err := w.Apply(reconciletest.Parse(t, reconciletest.WithoutBob))
		rec := w.Ledger["bob"].Versions[w.Ledger["bob"].Current].Record
		if err != nil || o.Failed() != 2 || rec.State != reconcile.Removing || w.Users["bob"] != nil {
			t.Errorf("%v, %q, the record says %s", err, reconciletest.Results(o), rec.State)
		}
		w.Alter = nil
		w.MustApply(reconciletest.Parse(t, reconciletest.WithoutBob))
	})
	t.Run("the old role", func(t *testing.T) {
		w := reconciletest.NewWorld(t)
		w.MustApply(reconciletest.Parse(t, reconciletest.Team))
		w.Alter = func(b *reconcile.Binding) {
			if b.Namespace == "payments" {
				b.Subjects = []reconcile.Subject{reconcile.UserSubject("eve")}
			}
		}
		changed := strings.Replace(reconciletest.Team, "payments: [edit]", "payments: [view]", 1)
		if o, err := w.Apply(reconciletest.Parse(t, changed)); err != nil || o.Failed() != 2 {
			t.Errorf("%v, %q", err, reconciletest.Results(o))
		}
		if got := w.Subjects("RoleBinding payments/certsync:test:user:carol:edit"); !slices.Equal(got, []string{"carol"}) {
			t.Errorf("carol lost the old role before she had the new one: %q", got)
		}
	})
}

// TestAlteredRename: the old name of somebody goes where the new one is in the bindings, whatever a policy makes of their labels. It
// stays where a policy keeps the new name out.
func TestAlteredRename(t *testing.T) {
	for name, tt := range map[string]struct {
		alter func(*reconcile.Binding)
		stays bool
	}{
		"a label": {func(b *reconcile.Binding) { b.Owner = "somebody" }, false},
		"the new name": {func(b *reconcile.Binding) {
			b.Subjects = slices.DeleteFunc(b.Subjects, func(s reconcile.Subject) bool { return s.Name == "alicia" })
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			w.MustApply(reconciletest.Parse(t, reconciletest.Team))
			w.Alter = tt.alter
			o, err := w.Apply(reconciletest.Renamed(t))
			if stays := w.Users["alice"] != nil; err != nil || o.Failed() == 0 || stays != tt.stays {
				t.Errorf("%v, %q, the old name stays: %v", err, reconciletest.Results(o), stays)
			}
		})
	}
}
