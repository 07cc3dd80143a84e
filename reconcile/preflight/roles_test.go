package preflight

import (
	"errors"
	"strings"
	"testing"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestRolesAndSelectors: Roles are looked for where selectors and names grant them, and each binding there is tried.
func TestRolesAndSelectors(t *testing.T) {
	const text = "users: [{name: alice, namespaces: [{name: staging, roles: [deployer]}, {selector: {team: payments}, clusterRoles: [view], roles: [deployer]}]}]"
	for sentence, tt := range map[string]struct {
		change func(f *Preflight, p *probe)
		want   map[string]string // the beginning of details, by the check's name
	}{
		"all is well": {func(*Preflight, *probe) {}, map[string]string{"ClusterRoles": "all that the inventory names (3)", "namespaces": "all that the inventory names (2)", "rights to bind": "a dry run of each binding succeeded (3)"}},
		"a Role is missing": {func(_ *Preflight, p *probe) {
			delete(p.RoleRules, reconcile.Role{Namespace: "payments", Name: "deployer"})
		},
			map[string]string{"ClusterRoles": `there is no Role "deployer" in namespace "payments": bindings`, "rights to bind": "a dry run of each binding succeeded (2)"}},
		"a Role may not be bound": {func(_ *Preflight, p *probe) {
			p.binds = func(b reconcile.Binding) error {
				if b.RoleRef.Kind == "Role" && b.Namespace == "staging" {
					return errors.New("boom")
				}
				return nil
			}
		}, map[string]string{"rights to bind": `Role "deployer" in namespace "staging": boom`}},
		"the job's namespace has the label": {func(f *Preflight, p *probe) { f.Namespace = "payments" }, map[string]string{"namespaces": "all that the inventory names (1)"}},
		"Roles cannot be listed":            {func(_ *Preflight, p *probe) { p.fails["roles"] = errors.New("boom") }, map[string]string{"ClusterRoles": "boom"}},
		"namespaces cannot be listed":       {func(_ *Preflight, p *probe) { p.fails["namespaces"] = errors.New("boom") }, map[string]string{"ClusterRoles": "needs namespaces", "namespaces": "boom"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			f, p := flight(t)
			f.Inventory = reconciletest.Parse(t, text)
			p.Labels = map[string]map[string]string{"payments": {"team": "payments"}, "kube-system": {"team": "payments"}}
			p.RoleRules = map[reconcile.Role][]reconcile.Rule{{Namespace: "staging", Name: "deployer"}: nil, {Namespace: "payments", Name: "deployer"}: nil}
			tt.change(f, p)
			for _, c := range f.Do(t.Context()).Checks {
				if want, asked := tt.want[c.Name]; asked && !strings.HasPrefix(c.Detail, want) {
					t.Errorf("%s: %s, not %s", c.Name, c.Detail, want)
				}
			}
		})
	}
}
