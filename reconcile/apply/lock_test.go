package apply_test

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

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/apply"
	"github.com/certsync/certsync/reconcile/reconciletest"
	"github.com/certsync/certsync/reconcile/rights"
)

func agreed(reconcile.Plan) error { return nil }

// TestLocked: while another run has the lock nothing is written, and the error says whose it is.
func TestLocked(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.Fail = reconciletest.Failing("lock", reconcile.Locked{Name: "kube-system/certsync-test", Holder: "carol", Age: 90 * time.Second, Renewed: 4 * time.Second})
	_, err := w.Apply(reconciletest.Parse(t, reconciletest.Team))
	if want := `another run holds the lock kube-system/certsync-test: "carol", for 1m30s, renewed 4s ago`; err == nil || err.Error() != want {
		t.Errorf("error %v", err)
	}
	if !errors.As(err, new(reconcile.Locked)) || len(w.Writes()) > 0 {
		t.Errorf("wrote %q", w.Writes())
	}
}

// TestLockIsAroundEverything: from before the second look at the world to after the last write, and not taken for
// nothing.
func TestLockIsAroundEverything(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	first, last := slices.Index(w.Calls, "lock"), slices.Index(w.Calls, "unlock")
	if first < 0 || last != len(w.Calls)-1 || slices.Index(w.Calls[first:], "observe store") < 0 {
		t.Errorf("calls %q", w.Calls)
	}
	if w.State.Generation != 1 || w.Generation != 1 {
		t.Errorf("generation %d in the state, %d at the lock", w.State.Generation, w.Generation)
	}
	if w.MustApply(reconciletest.Parse(t, reconciletest.Team)); slices.Contains(w.Calls, "lock") {
		t.Errorf("with nothing to do: %q", w.Calls)
	}
	w.Generation = 5
	w.Rules.AcceptRollback = true
	w.MustApply(reconciletest.Parse(t, reconciletest.Team+"  - {name: dave}\n"))
	if w.State.Generation != 6 || w.Generation != 6 {
		t.Errorf("after a rollback: generation %d in the state, %d at the lock", w.State.Generation, w.Generation)
	}
}

// TestLockIsReleased even if the run ends before its first write.
func TestLockIsReleased(t *testing.T) {
	for _, call := range []string{"write state", "observe store"} {
		w := reconciletest.NewWorld(t)
		locked := false
		w.Fail = func(c string) error {
			locked = locked || c == "lock"
			if locked && c == call {
				return reconciletest.ErrBoom
			}
			return nil
		}
		if _, err := w.Apply(reconciletest.Parse(t, reconciletest.Team)); err == nil || w.Calls[len(w.Calls)-1] != "unlock" {
			t.Errorf("%v: %q", err, w.Calls)
		}
	}
}

// TestLockIsLost: no step begins after that, and what is being written ends.
func TestLockIsLost(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.Fail = func(call string) error {
		if strings.HasPrefix(call, "store alice") {
			w.Lose(reconcile.ErrLockLost)
		}
		return nil
	}
	o, err := w.Apply(reconciletest.Parse(t, reconciletest.Team))
	if err != nil {
		t.Fatal(err)
	}
	if i := slices.Index(w.Calls, "store alice"); !slices.Equal(w.Calls[i+1:], []string{"unlock"}) {
		t.Errorf("after the loss: %q", w.Calls[i+1:])
	}
	if last := o.Events[len(o.Events)-1]; last.Result != reconcile.Held || last.Error != fmt.Sprintf("the run ended before this step: %v", reconcile.ErrLockLost) {
		t.Errorf("event %+v", last)
	}
	w.Fail = nil
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
}

// TestInterrupted: the user who is being served is served to the end, nobody else is begun, every step is accounted for,
// and the lock is given up.
func TestInterrupted(t *testing.T) {
	w := reconciletest.NewWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	w.Fail = func(call string) error {
		if strings.HasPrefix(call, "issue alice") {
			cancel()
		}
		return nil
	}
	o, err := w.ApplyIn(ctx, reconciletest.Parse(t, reconciletest.Team), 1, agreed)
	if err != nil {
		t.Fatal(err)
	}
	if len(o.Events) != len(o.Plan.Steps) || o.Events[0].Result != reconcile.Done || o.Failed() != len(o.Events)-1 {
		t.Errorf("%d events for %d steps: %q", len(o.Events), len(o.Plan.Steps), reconciletest.Results(o))
	}
	if w.Users["alice"] == nil || !slices.Equal(w.Calls[len(w.Calls)-3:], []string{"store alice", "write state", "unlock"}) {
		t.Errorf("after the interruption: %q", w.Calls)
	}
	w.Fail = nil
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
}

// TestLastStep: what is under way when a run is interrupted has its time, and none if the lock is lost.
func TestLastStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		ctx, interrupt := context.WithCancel(t.Context())
		lost, lose := context.WithCancelCause(context.Background())
		defer lose(nil)
		work, cancel := apply.Afterwards(ctx, lost, reconcile.LastStep)
		defer cancel()
		time.Sleep(time.Hour)
		if work.Err() != nil {
			t.Fatal("it ended by itself")
		}
		interrupt()
		<-work.Done()
		if took := time.Since(began) - time.Hour; took != reconcile.LastStep || !errors.Is(context.Cause(work), context.Canceled) {
			t.Errorf("after %s: %v", took, context.Cause(work))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		lost, lose := context.WithCancelCause(context.Background())
		work, cancel := apply.Afterwards(t.Context(), lost, reconcile.LastStep)
		defer cancel()
		lose(reconcile.ErrLockLost)
		if work.Err() == nil || context.Cause(work) != reconcile.ErrLockLost {
			t.Errorf("%v", context.Cause(work))
		}
	})
}

// TestLeaseThatNobodyMayCreate: the right to create Leases is one that the job is not to have.
func TestLeaseThatNobodyMayCreate(t *testing.T) {
	create := reconcile.Permission{Verb: "create", Group: "coordination.k8s.io", Resource: "leases", Namespace: "kube-system"}
	other := reconcile.Permission{Verb: "create", Group: "rbac.authorization.k8s.io", Resource: "clusterrolebindings"}
	const grant = "grant it in Kubernetes RBAC to the identity that runs apply"
	for want, denies := range map[string][]reconcile.Permission{
		rights.LeaseHint + "; nothing was written":                    {create},
		grant + "; but " + rights.LeaseHint + "; nothing was written": {other, create},
		grant + "; nothing was written":                               {other},
	} {
		w := reconciletest.NewWorld(t)
		w.Denies = denies
		if _, err := w.Apply(reconciletest.Parse(t, reconciletest.Team)); err == nil || reconcile.Hint(err) != want || len(w.Writes()) > 0 {
			t.Errorf("%v, hint %q, wrote %q", err, reconcile.Hint(err), w.Writes())
		}
	}
}

func TestLockPermissions(t *testing.T) {
	want := []string{
		`get leases.coordination.k8s.io "certsync-prod-eu" in namespace "kube-system"`,
		`update leases.coordination.k8s.io "certsync-prod-eu" in namespace "kube-system"`,
		`create leases.coordination.k8s.io in namespace "kube-system"`,
	}
	for _, exists := range []bool{false, true} {
		var got []string
		for _, p := range rights.Lock("prod-eu", "kube-system", exists) {
			got = append(got, p.String())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("exists: %v: %s", exists, diff)
		}
		want = want[:2] // an account that only ever gets and updates the Lease need not be able to create others
	}
}
