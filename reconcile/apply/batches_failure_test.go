package apply_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestSignerStopsBetweenBatches: when the signer stops, the batches that have not begun do not begin, and the run says so.
func TestSignerStopsBetweenBatches(t *testing.T) {
	for sentence, fail := range map[string]func(w *reconciletest.World){
		"it issues nothing any more": func(w *reconciletest.World) { w.Fail = reconciletest.Failing("issue user02", reconcile.ErrNotIssued) },
		"each certificate of a batch fails": func(w *reconciletest.World) {
			w.Fail = func(call string) error {
				if strings.HasPrefix(call, "issue user02") || strings.HasPrefix(call, "store user03") {
					return reconciletest.ErrBoom
				}
				return nil
			}
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			w, text := crewOf(t, 7)
			fail(w)
			o, err := w.Apply(reconciletest.Parse(t, text))
			if err != nil || o.Failed() == 0 || len(o.Events) != len(o.Plan.Steps) {
				t.Fatalf("%v, %d of %d steps ended, %d not well", err, len(o.Events), len(o.Plan.Steps), o.Failed())
			}
			got := w.Subjects(reconciletest.GroupView)
			if want := []string{"user04", "user05", "user06", "user00#2", "user01#3"}; !slices.Equal(got, want) {
				t.Errorf("in the group: %q, want %q", got, want)
			}
			for _, e := range o.Ended(reconcile.Held) {
				if e.User == "user05" && !strings.HasPrefix(e.Error, "the batch did not begin, and its users keep their access: ") {
					t.Errorf("%s of %s: %s", e.Action, e.User, e.Error)
				}
			}
			if len(w.Served("user05")) != 2 {
				t.Errorf("user05 has %q", w.Served("user05"))
			}
			w.Fail = nil
			w.MustApply(reconciletest.Parse(t, text))
			if lost := withoutAccess(w, 7); len(lost) > 0 || w.Served("user05") != nil {
				t.Errorf("after the next run %q have nothing, user05 has %q", lost, w.Served("user05"))
			}
		})
	}
}

// TestCanaryStopsBatches: if the first certificate does not work, only its batch is without access.
func TestCanaryStopsBatches(t *testing.T) {
	w, text := crewOf(t, 7)
	w.Login = func(reconcile.Identity) (reconcile.Identity, error) {
		return reconcile.Identity{}, reconcile.ErrNotTrusted
	}
	if o, err := w.Apply(reconciletest.Parse(t, text)); err != nil || o.Failed() == 0 {
		t.Fatal(err)
	}
	if lost := withoutAccess(w, 7); !slices.Equal(lost, []string{"user00", "user01"}) {
		t.Errorf("%q are without access", lost)
	}
}

// TestOneOfABatchFails: who gets no certificate is in no later write, and stops nobody else. A binding that is empty for that is
// deleted, and made anew for whoever comes next.
func TestOneOfABatchFails(t *testing.T) {
	text := strings.NewReplacer("user01, groups: [devs],", "user01,", "user03, groups: [devs],", "user03,").Replace(reconciletest.Crew(4))
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, text))
	w.Rules.BatchSize = 2
	text = revokingAll(w, text)
	w.Fail = reconciletest.Failing("issue user00", reconciletest.ErrBoom)
	o, err := w.Apply(reconciletest.Parse(t, text))
	if err != nil || len(o.Ended(reconcile.Failed)) != 1 {
		t.Fatalf("%v, %q", err, reconciletest.Results(o))
	}
	want := []string{
		"update ClusterRoleBinding certsync:test:group:devs:view[user02]",
		"delete ClusterRoleBinding certsync:test:group:devs:view",
		"create ClusterRoleBinding certsync:test:group:devs:view[user02#4]",
	}
	got := slices.DeleteFunc(w.BindingWrites(), func(c string) bool { return !strings.Contains(c, "group:devs") })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	w.Fail = nil
	w.MustApply(reconciletest.Parse(t, text))
	if got := w.Subjects(reconciletest.GroupView); !slices.Equal(got, []string{"user02#4", "user00#2"}) {
		t.Errorf("in the group: %q", got)
	}
}

// TestBatchChangeFails: if a binding cannot be written in a batch, no revoked name comes back into it, the run says so, and
// the next one finishes.
func TestBatchChangeFails(t *testing.T) {
	w, text := crewOf(t, 5)
	w.Fail = func(call string) error {
		if call == "update "+reconciletest.GroupView+"[user04 user00#2 user01#3]" {
			return errors.New("no")
		}
		return nil
	}
	o, err := w.Apply(reconciletest.Parse(t, text))
	if err != nil || len(o.Ended(reconcile.Failed)) != 1 {
		t.Fatalf("%v, %q", err, reconciletest.Results(o))
	}
	if got := w.Subjects(reconciletest.GroupView); !slices.Equal(got, []string{"user02", "user03", "user04", "user00#2", "user01#3"}) {
		t.Errorf("in the group: %q", got)
	}
	if w.Served("user04#6") == nil || len(w.Served("user04")) != 1 {
		t.Errorf("user04#6 has %q, user04 %q", w.Served("user04#6"), w.Served("user04"))
	}
	w.Fail = nil
	w.MustApply(reconciletest.Parse(t, text))
	if got := w.Subjects(reconciletest.GroupView); !slices.Equal(got, []string{"user00#2", "user01#3", "user02#4", "user03#5", "user04#6"}) {
		t.Errorf("in the group: %q", got)
	}
}

// TestInterruptedBatches: after an interruption no other batch begins, and the steps of those say why.
func TestInterruptedBatches(t *testing.T) {
	w, text := crewOf(t, 7)
	ctx, interrupt := context.WithCancelCause(t.Context())
	w.Fail = func(call string) error {
		if strings.HasPrefix(call, "issue user02") {
			interrupt(errors.New("interrupted"))
			return reconciletest.ErrBoom
		}
		return nil
	}
	o, err := w.ApplyIn(ctx, reconciletest.Parse(t, text), 1, func(reconcile.Plan) error { return nil })
	if err != nil || len(o.Events) != len(o.Plan.Steps) {
		t.Fatalf("%v, %d of %d steps ended", err, len(o.Events), len(o.Plan.Steps))
	}
	for _, e := range o.Events {
		if e.User == "user04" && (e.Result != reconcile.Held || e.Error != "the run ended before this step: interrupted") {
			t.Errorf("%s of user04: %s: %s", e.Action, e.Result, e.Error)
		}
	}
	if len(w.Served("user04")) != 2 || len(w.Served("user06")) != 2 {
		t.Errorf("user04 has %q, user06 %q", w.Served("user04"), w.Served("user06"))
	}
	w.Fail = nil
	w.MustApply(reconciletest.Parse(t, text))
	if lost := withoutAccess(w, 7); len(lost) > 0 || w.Served("user04") != nil {
		t.Errorf("after the next run %q have nothing, user04 has %q", lost, w.Served("user04"))
	}
}

// TestBatchesThatPeopleApprove: if nobody approves the requests of a batch, no other batch begins.
func TestBatchesThatPeopleApprove(t *testing.T) {
	w, text := crewOf(t, 7)
	w.WithoutCanary = true
	w.Fail = reconciletest.Failing("issue", reconcile.ErrNotApproved)
	if _, err := w.Apply(reconciletest.Parse(t, text)); err != nil {
		t.Fatal(err)
	}
	if lost := withoutAccess(w, 7); !slices.Equal(lost, []string{"user00", "user01"}) {
		t.Errorf("%q are without access", lost)
	}
}
