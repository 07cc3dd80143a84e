package apply_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestBindingThatWasNotMade: the next plan says that it is missing. Nobody has changed it, so it has not drifted.
func TestBindingThatWasNotMade(t *testing.T) {
	w := reconciletest.NewWorld(t)
	inv := reconciletest.Parse(t, reconciletest.Team)
	w.Fail = reconciletest.Failing("create ClusterRoleBinding certsync:test:user:alice:admin", reconciletest.ErrBoom)
	if o, err := w.Apply(inv); err != nil || o.Failed() != 1 {
		t.Fatal(err, reconciletest.Results(o))
	}
	if diff := cmp.Diff([]string{"bind alice ClusterRoleBinding user:alice:admin [missing]"}, reconciletest.Lines(w.Plan(inv))); diff != "" {
		t.Error(diff)
	}
}
