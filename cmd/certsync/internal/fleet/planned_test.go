package fleet

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
)

// TestRuns: a cluster counts if it has something to do and nothing in the way.
func TestRuns(t *testing.T) {
	todo := reconcile.Plan{Owner: "dev", RecordState: true}
	todo.Steps = make([]reconcile.Step, 2)
	all := []Planned{{Plan: todo, Ready: true}, {Plan: todo}, {Ready: true}, {Plan: todo, Ready: true}}
	if n, steps := writing(all), steps(all); n != 2 || steps != 4 {
		t.Errorf("%d clusters run, with %d steps", n, steps)
	}
}

// TestWithout: the name is left out of every flag, and only there where the rules are for one cluster.
func TestWithout(t *testing.T) {
	rules := reconcile.Rules{Revoke: []string{"alice", "bob"}, Retry: []string{"alice"}, Protect: []string{"carol", "alice"}, Adopt: []string{"alice"}}
	got := without(rules, reconcile.UnknownName{Name: "alice"})
	want := [][]string{{"bob"}, {}, {"carol"}, {}}
	if diff := cmp.Diff(want, [][]string{got.Revoke, got.Retry, got.Protect, got.Adopt}); diff != "" {
		t.Error(diff)
	}
	if rules.Revoke[0] != "alice" || rules.Protect[1] != "alice" {
		t.Errorf("the rules of the other clusters have changed: %v", rules)
	}
}
