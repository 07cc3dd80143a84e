package apply_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/certsync/certsync/reconcile/reconciletest"
	"github.com/certsync/certsync/reconcile/retention"
)

// TestStateThatVanishes: where Vault will delete the state, nothing is issued, however often apply is tried. Once Vault keeps it,
// the next apply goes on without a flag: the lock knows of each generation that was written.
func TestStateThatVanishes(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.StateLimited = fmt.Errorf("writing: %w", retention.ErrLimited)
	inv := reconciletest.Parse(t, reconciletest.Team)
	for n := range 3 {
		_, err := w.Apply(inv)
		if !errors.Is(err, retention.ErrLimited) {
			t.Fatal(err)
		}
		done := slices.DeleteFunc(w.Writes(), func(call string) bool { return call == "write state" || strings.HasPrefix(call, "record generation") })
		if len(done) > 0 || len(w.Issued) > 0 {
			t.Errorf("attempt %d did more than write the state: %q", n+1, done)
		}
	}
	w.StateLimited = nil
	w.MustApply(inv)
	if w.State.Generation != 4 || w.Generation != 4 {
		t.Errorf("generation %d in the state, %d at the lock", w.State.Generation, w.Generation)
	}
}

// TestLeaverOfAStateThatVanishes: a Vault that deletes by time keeps nobody from losing what certsync gave.
func TestLeaverOfAStateThatVanishes(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.Rules.MaxRemovals = reconciletest.Limit(t, "100%")
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	w.StateLimited = fmt.Errorf("writing: %w", retention.ErrLimited)
	begun := w.Begun
	o, err := w.Apply(reconciletest.Parse(t, reconciletest.WithoutBob))
	if w.Begun != begun+1 {
		t.Errorf("progress was told %d times that steps begin", w.Begun-begun)
	}
	if !errors.Is(err, retention.ErrLimited) || len(w.Served("bob")) > 0 || len(w.Served("alice")) != 3 {
		t.Errorf("%v, %q; bob has %q, alice %q", err, reconciletest.Results(o), w.Served("bob"), w.Served("alice"))
	}
}

// TestRevocationOfAStateThatVanishes: old names go in all batches, and each step has an event.
func TestRevocationOfAStateThatVanishes(t *testing.T) {
	w, text := crewOf(t, 5)
	w.StateLimited = fmt.Errorf("writing: %w", retention.ErrLimited)
	o, err := w.Apply(reconciletest.Parse(t, text))
	if !errors.Is(err, retention.ErrLimited) || len(o.Events) != len(o.Plan.Steps) || len(w.Issued) > 5 {
		t.Errorf("%v, %d events of %d steps, %d certificates", err, len(o.Events), len(o.Plan.Steps), len(w.Issued))
	}
	for n := range 5 {
		if name := fmt.Sprintf("user%02d", n); len(w.Served(name)) > 0 {
			t.Errorf("%s has %q", name, w.Served(name))
		}
	}
}
