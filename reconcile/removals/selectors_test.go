package removals_test

import (
	"fmt"
	"slices"
	"strings"
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

// TestFrozenSelectors: namespaces without end neither give nor take access, without Vault too, and keep no removal from being done.
func TestFrozenSelectors(t *testing.T) {
	const text = "groups: [{name: devs, namespaces: [{selector: {team: payments}, roles: [deployer, reader]}, {name: kube-system, roles: [deployer]}]}]\nusers: [{name: alice, groups: [devs]}, {name: bob, groups: [devs]}]"
	w := reconciletest.NewWorld(t)
	w.Labels = map[string]map[string]string{"payments": {"team": "payments"}, "staging": {"team": "payments"}}
	w.Spaces["kube-system"] = true
	w.MustApply(reconciletest.Parse(t, text))
	for i := range 26_000 {
		name := fmt.Sprintf("n%d", i)
		w.Spaces[name], w.Labels[name] = true, map[string]string{"team": "payments"}
	}
	delete(w.Labels, "staging")
	if p := planOf(t, w, reconciletest.Parse(t, text)); len(p.Steps) > 0 || !slices.Contains(reconciletest.Kinds(p), "selectors-frozen") {
		t.Errorf("%q, %q", reconciletest.Lines(p), reconciletest.Kinds(p))
	}
	without := strings.Replace(strings.Replace(text, ", {name: kube-system, roles: [deployer]}", "", 1), ", {name: bob, groups: [devs]}", "", 1)
	want := []string{"unbind devs RoleBinding kube-system/group-role:devs:deployer [namespace-unselected not-in-inventory] -alice -bob"}
	for _, namespace := range []string{"payments", "staging"} {
		for _, role := range []string{"deployer", "reader"} {
			want = append(want, "update devs RoleBinding "+namespace+"/group-role:devs:"+role+" [not-in-inventory] -bob")
		}
	}
	if diff := cmp.Diff(sorted(want), sorted(reconciletest.Lines(planOf(t, w, reconciletest.Parse(t, without))))); diff != "" {
		t.Error(diff)
	}
}
