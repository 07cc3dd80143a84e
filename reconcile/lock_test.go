package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func agreed(Plan) error { return nil }

// TestLocked: while another run has the lock nothing is written, and the error says whose it is.
func TestLocked(t *testing.T) {
	w := newWorld(t)
	w.fail = failing("lock", Locked{Name: "kube-system/certsync-test", Holder: "carol", Held: 90 * time.Second, Renewed: 4 * time.Second})
	_, err := w.apply(parse(t, team))
	if want := `another run holds the lock kube-system/certsync-test: "carol", for 1m30s, renewed 4s ago`; err == nil || err.Error() != want {
		t.Errorf("error %v", err)
	}
	if !errors.As(err, new(Locked)) || len(w.writes()) > 0 {
		t.Errorf("wrote %q", w.writes())
	}
}

// TestLockIsAroundEverything: from before the second look at the world to after the last write, and not taken for
// nothing.
func TestLockIsAroundEverything(t *testing.T) {
	w := newWorld(t)
	w.mustApply(parse(t, team))
	first, last := slices.Index(w.calls, "lock"), slices.Index(w.calls, "unlock")
	if first < 0 || last != len(w.calls)-1 || slices.Index(w.calls[first:], "observe store") < 0 {
		t.Errorf("calls %q", w.calls)
	}
	if w.state.Generation != 1 || w.generation != 1 {
		t.Errorf("generation %d in the state, %d at the lock", w.state.Generation, w.generation)
	}
	if w.mustApply(parse(t, team)); slices.Contains(w.calls, "lock") {
		t.Errorf("with nothing to do: %q", w.calls)
	}
	w.generation = 5
	w.rules.AcceptRollback = true
	w.mustApply(parse(t, team+"  - {name: dave}\n"))
	if w.state.Generation != 6 || w.generation != 6 {
		t.Errorf("after a rollback: generation %d in the state, %d at the lock", w.state.Generation, w.generation)
	}
}

// TestLockIsReleased even if the run ends before its first write.
func TestLockIsReleased(t *testing.T) {
	for _, call := range []string{"write state", "observe store"} {
		w := newWorld(t)
		locked := false
		w.fail = func(c string) error {
			locked = locked || c == "lock"
			if locked && c == call {
				return errBoom
			}
			return nil
		}
		if _, err := w.apply(parse(t, team)); err == nil || w.calls[len(w.calls)-1] != "unlock" {
			t.Errorf("%v: %q", err, w.calls)
		}
	}
}

// TestLockIsLost: no step begins after that, and what is being written ends.
func TestLockIsLost(t *testing.T) {
	w := newWorld(t)
	w.fail = func(call string) error {
		if strings.HasPrefix(call, "store alice") {
			w.lose(ErrLockLost)
		}
		return nil
	}
	o, err := w.apply(parse(t, team))
	if err != nil {
		t.Fatal(err)
	}
	if i := slices.Index(w.calls, "store alice"); !slices.Equal(w.calls[i+1:], []string{"unlock"}) {
		t.Errorf("after the loss: %q", w.calls[i+1:])
	}
	if last := o.Events[len(o.Events)-1]; last.Result != Held || last.Error != fmt.Sprintf("the run ended before: %v", ErrLockLost) {
		t.Errorf("event %+v", last)
	}
	w.fail = nil
	w.mustApply(parse(t, team))
}

// TestInterrupted: the user who is being served is served to the end, nobody else is begun, every step is accounted for,
// and the lock is given up.
func TestInterrupted(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	w.fail = func(call string) error {
		if strings.HasPrefix(call, "issue alice") {
			cancel()
		}
		return nil
	}
	o, err := w.applyIn(ctx, parse(t, team), 1, agreed)
	if err != nil {
		t.Fatal(err)
	}
	if len(o.Events) != len(o.Plan.Steps) || o.Events[0].Result != Done || o.Failed() != len(o.Events)-1 {
		t.Errorf("%d events for %d steps: %q", len(o.Events), len(o.Plan.Steps), results(o))
	}
	if w.users["alice"] == nil || !slices.Equal(w.calls[len(w.calls)-2:], []string{"store alice", "unlock"}) {
		t.Errorf("after the interruption: %q", w.calls)
	}
	w.fail = nil
	w.mustApply(parse(t, team))
}

// TestLastStep: what is under way when a run is interrupted has its time, and none if the lock is lost.
func TestLastStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		ctx, interrupt := context.WithCancel(t.Context())
		lost, lose := context.WithCancelCause(context.Background())
		defer lose(nil)
		work, cancel := afterwards(ctx, lost, LastStep)
		defer cancel()
		time.Sleep(time.Hour)
		if work.Err() != nil {
			t.Fatal("it ended by itself")
		}
		interrupt()
		<-work.Done()
		if took := time.Since(began) - time.Hour; took != LastStep || !errors.Is(context.Cause(work), context.Canceled) {
			t.Errorf("after %s: %v", took, context.Cause(work))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		lost, lose := context.WithCancelCause(context.Background())
		work, cancel := afterwards(t.Context(), lost, LastStep)
		defer cancel()
		lose(ErrLockLost)
		if work.Err() == nil || context.Cause(work) != ErrLockLost {
			t.Errorf("%v", context.Cause(work))
		}
	})
}

func TestLockPermissions(t *testing.T) {
	want := []string{
		`get leases.coordination.k8s.io "certsync-prod-eu" in namespace "kube-system"`,
		`update leases.coordination.k8s.io "certsync-prod-eu" in namespace "kube-system"`,
		`create leases.coordination.k8s.io in namespace "kube-system"`,
	}
	for _, exists := range []bool{false, true} {
		var got []string
		for _, p := range LockPermissions("prod-eu", "kube-system", exists) {
			got = append(got, p.String())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("exists: %v: %s", exists, diff)
		}
		want = want[:2] // an account that only ever gets and updates the Lease need not be able to create others
	}
}
