package fleet

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/certsync/certsync/reconcile/preflight"
)

// TestEach: so many clusters at once and no more, the results in the order of the targets, and each with its own error.
func TestEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int64
		began := time.Now()
		all := Each(t.Context(), targets("a", "b", "c", "d", "e"), 2, func(_ context.Context, one Target) (string, error) {
			most.Store(max(most.Load(), now.Add(1)))
			defer now.Add(-1)
			if one.Name == "a" {
				time.Sleep(time.Second) // the others come first
				return "", errors.New("down")
			}
			time.Sleep(100 * time.Millisecond)
			return "of " + one.Name, nil
		})
		for i, name := range []string{"a", "b", "c", "d", "e"} {
			want := "of " + name
			if i == 0 {
				want = ""
			}
			if r := all[i]; r.Name != name || r.Value != want || (r.Err != nil) != (i == 0) {
				t.Errorf("%d: %+v", i, r)
			}
		}
		if took := time.Since(began); most.Load() != 2 || took != time.Second {
			t.Errorf("%d at once, %s", most.Load(), took)
		}
	})
}

// TestRunsAtOnce: as many runs are prepared at once as may be.
func TestRunsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		each(make([]Run, 5), 2, func(int) { time.Sleep(time.Second) })
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("five runs of a second took %s", took)
		}
	})
}

// TestWithinLimit: a cluster that is too slow is an error, also if do ends without one.
func TestWithinLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		results := Each(t.Context(), targets("slow", "fast"), 2, func(ctx context.Context, one Target) (preflight.Report, error) {
			if one.Name == "slow" {
				<-ctx.Done()
			}
			return preflight.Report{}, nil
		})
		if results[0].Err != errSlow || results[1].Err != nil {
			t.Errorf("slow: %v, fast: %v", results[0].Err, results[1].Err)
		}
		if *PreflightDocument(results).OK {
			t.Error("the checks that were not made count as passed")
		}
	})
}
