package plan_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestOtherInventory: a plan that would remove all users of an owner says whose state it is. One that keeps a user does not.
func TestOtherInventory(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.Revision = "1a2b3c"
	w.MustApply(reconciletest.Parse(t, reconciletest.Crew(8)))
	state := w.Observed().State
	others := strings.ReplaceAll(reconciletest.Crew(8), "user0", "person")
	want := []string{`would remove 8 of 8 users, more than 25% (--max-removals). None of these users is in this inventory. The last run of owner "test" was at ` +
		reconcile.TimeText(state.StartedAt) + ` by "certsync", revision "1a2b3c" (if that run was of another inventory, set another owner in this one; if you renamed the users, set previously)`}
	if diff := cmp.Diff(want, w.Plan(reconciletest.Parse(t, others)).Refusals()); diff != "" {
		t.Error(diff)
	}
	w.Rules.MaxRemovals = reconciletest.Limit(t, "100%")
	if got := w.Plan(reconciletest.Parse(t, others)).Refusals(); len(got) > 0 {
		t.Error("with --max-removals=100%:", got)
	}
	w.Rules.MaxRemovals = reconciletest.Limit(t, "25%")
	kept := others + "  - {name: user00, groups: [devs], clusterRoles: [edit]}\n"
	if diff := cmp.Diff([]string{"would remove 7 of 8 users, more than 25% (--max-removals)"}, w.Plan(reconciletest.Parse(t, kept)).Refusals()); diff != "" {
		t.Error(diff)
	}
}

// TestPossibleRename: a new user who looks like one who goes gets a suggestion, which is no part of the digest. With `previously`
// or with a powerful role there is none.
func TestPossibleRename(t *testing.T) {
	const before = "groups: [{name: devs, clusterRoles: [view]}]\nusers:\n  - {name: alice, groups: [devs]}\n  - {name: bob, groups: [devs]}\n"
	for name, tt := range map[string]struct {
		before, after string
		want          string
	}{
		"a new last letter": {before, strings.ReplaceAll(before, "alice", "alicia"), "did you mean a rename? set previously: [\"alice\"] on alicia"},
		"a rename":          {before, strings.ReplaceAll(before, "name: alice", "name: alicia, previously: [alice]"), ""},
		"an end":            {before, strings.ReplaceAll(before, "- {name: alice, groups: [devs]}", "- {name: alice, groups: [devs], until: 2001-01-01}\n  - {name: alicia, groups: [devs]}"), ""},
		"a new user":        {before, before + "  - {name: alicia, groups: [devs]}\n", ""},
		"a leaver":          {before, strings.ReplaceAll(before, "  - {name: alice, groups: [devs]}\n", ""), ""},
		"another role":      {before, strings.ReplaceAll(before, "name: alice,", "name: alicia, clusterRoles: [audit],"), ""},
		"cluster-admin": {strings.ReplaceAll(before, "name: alice,", "name: alice, clusterRoles: [cluster-admin],"),
			strings.ReplaceAll(before, "name: alice,", "name: alicia, clusterRoles: [cluster-admin],"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			w.MustApply(reconciletest.Parse(t, tt.before))
			p := w.Plan(reconciletest.Parse(t, tt.after))
			got := ""
			for _, n := range p.Notes {
				if n.Kind == reconcile.PossibleRename {
					got += n.Message
				}
			}
			if got != tt.want {
				t.Errorf("%q, not %q", got, tt.want)
			}
			digest := p.Digest()
			p.Notes = slices.DeleteFunc(p.Notes, func(n reconcile.Note) bool { return n.Kind == reconcile.PossibleRename })
			if p.Digest() != digest {
				t.Error("it is part of the digest")
			}
		})
	}
}
