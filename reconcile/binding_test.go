package reconcile_test

import (
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
)

// TestRebase: what was to go goes, what was to come comes once, at the end, and what somebody else added meanwhile stays where it is.
func TestRebase(t *testing.T) {
	observed, target := reconcile.UserSubjects([]string{"goes", "stays", "lost"}), reconcile.UserSubjects([]string{"stays", "lost", "comes", "comes", "was-added"})
	current := reconcile.UserSubjects([]string{"other", "goes", "was-added", "stays", "goes", "other"})
	want := reconcile.UserSubjects([]string{"other", "was-added", "stays", "other", "comes"})
	if diff := cmp.Diff(want, reconcile.Rebase(observed, target, current)); diff != "" {
		t.Error(diff)
	}
}

// TestRebaseOfMany: it costs a pass over each list. A comparison of each subject with each would take many minutes.
func TestRebaseOfMany(t *testing.T) {
	var names []string
	for i := range 200_000 {
		names = append(names, strconv.Itoa(i))
	}
	observed := reconcile.UserSubjects(names)
	target := reconcile.UserSubjects([]string{"alice"})
	if got := reconcile.Rebase(observed, target, slices.Clone(observed)); !slices.Equal(got, target) {
		t.Errorf("%d subjects", len(got))
	}
	if got := reconcile.Rebase(target, observed, target); !slices.Equal(got, observed) {
		t.Errorf("%d subjects", len(got))
	}
}
