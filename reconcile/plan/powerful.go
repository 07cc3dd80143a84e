package plan

import (
	"cmp"
	"slices"

	"github.com/certsync/certsync/reconcile"
)

// rolePower says why a ClusterRole makes as good as cluster-admin, by its rules: cluster-wide ("") or in a namespace that
// matters (kube-system, certsync's own).
func (d *differ) rolePower(role, namespace string) []string {
	power, known := d.Observed.Powers[role]
	if !known {
		power = reconcile.PowerByName(role)
	}
	switch namespace {
	case "":
		return power.Everywhere
	case "kube-system", d.rules.Namespace:
		return power.InSystem
	}
	return nil
}

// userPowers collects why users are as good as cluster-admin by all that the inventory gives them.
func (d *differ) userPowers() map[string][]string {
	powers := map[string][]string{}
	for g, users := range d.Wanted {
		if power := d.rolePower(g.Role, g.Namespace); len(power) > 0 {
			for _, u := range users {
				powers[u] = append(powers[u], power...)
			}
		}
	}
	for u, power := range powers {
		slices.SortFunc(power, func(a, b string) int {
			return cmp.Or(cmp.Compare(reconcile.Severity(a), reconcile.Severity(b)), cmp.Compare(a, b))
		})
		powers[u] = slices.Compact(power)
	}
	return powers
}

// power is Step.Power.
func (d *differ) power(s reconcile.Step) []string {
	switch {
	case s.Issue != nil:
		return reconcile.OrEmpty(d.powers[s.User])
	case s.Gives():
		g, _ := d.plan.Grant(s)
		return reconcile.OrEmpty(d.rolePower(g.Role, g.Namespace))
	}
	return nil
}
