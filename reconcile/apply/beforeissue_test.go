package apply_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestBeforeIssue: what has to wait for other clusters comes after all removals of the first batch and before everything that is given.
func TestBeforeIssue(t *testing.T) {
	for sentence, c := range map[string]struct {
		run  func(*reconciletest.World)
		last string // write before the wait
		next string // and after it
	}{
		"removals come before": {func(w *reconciletest.World) {
			w.MustApply(reconciletest.Parse(t, strings.Replace(reconciletest.Team, "name: alice, groups: [devs], clusterRoles: [admin]", "name: zoe", 1)))
		}, "record alice removed", "issue zoe within 30s"},
		"the first batch of revocations comes before": {func(w *reconciletest.World) {
			w.Rules.BatchSize = 1
			w.MustApply(reconciletest.Parse(t, revokingAll(w, reconciletest.Team)))
		}, "delete ClusterRoleBinding certsync:test:user:alice:admin", "issue alice#2 within 30s"},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			w.MustApply(reconciletest.Parse(t, reconciletest.Team))
			var before [][]string
			w.BeforeIssue = func(context.Context) { before = append(before, slices.Clone(w.Writes())) }
			c.run(w)
			if len(before) != 1 {
				t.Fatalf("waited %d times", len(before))
			}
			n := len(before[0])
			if diff := cmp.Diff([]string{c.last, c.next}, w.Writes()[n-1:n+1]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestBeforeIssueEnds: an interruption ends the wait, and nothing is given after it.
func TestBeforeIssueEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := reconciletest.NewWorld(t)
		w.BeforeIssue = func(ctx context.Context) { <-ctx.Done() }
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		o, err := w.ApplyIn(ctx, reconciletest.Parse(t, reconciletest.Team), 1, func(reconcile.Plan) error { return nil })
		if err != nil || o.Failed() != len(o.Events) || len(o.Events) == 0 {
			t.Errorf("%d of %d steps not done, %v", o.Failed(), len(o.Events), err)
		}
		if diff := cmp.Diff([]string{"write state"}, w.Writes()); diff != "" {
			t.Error(diff)
		}
	})
}
