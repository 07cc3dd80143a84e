package status

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestOutstanding: whoever is in the index and is to have no access is outstanding until a run has taken everything.
func TestOutstanding(t *testing.T) {
	inv := reconciletest.Parse(t, "users: [{name: alice}, {name: ends, until: 2026-11-28}, {name: ended, until: 2026-11-28}, {name: lasts, until: 2027-01-31}, {name: waits, from: 2027-01-31}, {name: new}, {name: now, previously: [was]}]")
	at := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	state := func(names map[string]reconcile.Name) *reconcile.State { return &reconcile.State{Names: names} }
	for sentence, c := range map[string]struct {
		state *reconcile.State
		want  []string
	}{
		"nothing was ever given":                 {nil, nil},
		"a state of version 1 has no names":      {state(nil), nil},
		"everybody is in the inventory":          {state(map[string]reconcile.Name{"alice": {}, "lasts": {}}), nil},
		"those who left wait, sorted":            {state(map[string]reconcile.Name{"zoe": {}, "bob": {}, "alice": {}}), []string{"bob", "zoe"}},
		"those who lost everything do not":       {state(map[string]reconcile.Name{"zoe": {Left: true}, "bob": {}}), []string{"bob"}},
		"an until has passed":                    {state(map[string]reconcile.Name{"ends": {}, "ended": {Ended: true}}), []string{"ends"}},
		"a from was moved ahead":                 {state(map[string]reconcile.Name{"waits": {}}), []string{"waits"}},
		"a name that somebody had before":        {state(map[string]reconcile.Name{"was": {}, "now": {}}), []string{"was"}},
		"one who came back has a name that left": {state(map[string]reconcile.Name{"alice": {Left: true}}), nil},
	} {
		t.Run(sentence, func(t *testing.T) {
			if diff := cmp.Diff(reconcile.OrEmpty(c.want), Outstanding(inv, reconcile.StoreView{State: c.state}, at)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestOutstandingUntilTheRun: what the index says of a leaver before and after the run that removes them.
func TestOutstandingUntilTheRun(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.Rules.MaxRemovals = reconciletest.Limit(t, "100%")
	both, one := reconciletest.Parse(t, "users: [{name: alice}, {name: bob}]"), reconciletest.Parse(t, "users: [{name: alice}]")
	w.MustApply(both)
	if got := Outstanding(both, w.Observed().StoreView, w.Now); len(got) > 0 {
		t.Errorf("%q", got)
	}
	if diff := cmp.Diff([]string{"bob"}, Outstanding(one, w.Observed().StoreView, w.Now)); diff != "" {
		t.Error(diff)
	}
	w.MustApply(one)
	if got := Outstanding(one, w.Observed().StoreView, w.Now); len(got) > 0 {
		t.Errorf("%q", got)
	}
}

// TestOutstandingAfterACut: a run that ended after it wrote the state has not come to the leaver.
func TestOutstandingAfterACut(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.Rules.MaxRemovals = reconciletest.Limit(t, "100%")
	w.MustApply(reconciletest.Parse(t, "users: [{name: alice}, {name: bob}]"))
	ctx, cancel := context.WithCancel(t.Context())
	w.Fail = func(call string) error {
		if call == "write state" {
			cancel()
		}
		return nil
	}
	one := reconciletest.Parse(t, "users: [{name: alice}]")
	_, _ = w.ApplyIn(ctx, one, 1, func(reconcile.Plan) error { return nil })
	w.Fail = nil
	if !w.State.Names["bob"].Left {
		t.Fatal("the state was not written")
	}
	if diff := cmp.Diff([]string{"bob"}, Outstanding(one, w.Observed().StoreView, w.Now)); diff != "" {
		t.Error(diff)
	}
}
