package removals_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestSelectors: without Vault too, a namespace that has lost its label loses what a selector gave there, and a Role stays where it
// has not.
func TestSelectors(t *testing.T) {
	inv := reconciletest.Parse(t, "users: [{name: alice, namespaces: [{selector: {team: payments}, roles: [deployer]}]}, {name: bob, clusterRoles: [view]}]")
	w := reconciletest.NewWorld(t)
	team := map[string]string{"team": "payments"}
	w.Labels = map[string]map[string]string{"payments": team, "staging": team}
	w.MustApply(inv)
	if got := reconciletest.Lines(planOf(t, w, inv)); len(got) > 0 {
		t.Errorf("%q", got)
	}
	delete(w.Labels, "staging")
	if diff := cmp.Diff([]string{"unbind alice RoleBinding staging/user-role:alice:deployer [namespace-unselected]"}, reconciletest.Lines(planOf(t, w, inv))); diff != "" {
		t.Error(diff)
	}
	w.Labels["staging"], w.Rules = team, reconcile.Rules{Namespace: "staging"}
	if got := reconciletest.Lines(planOf(t, w, inv)); len(got) != 1 {
		t.Errorf("a selector matches certsync's own namespace: %q", got)
	}
}
