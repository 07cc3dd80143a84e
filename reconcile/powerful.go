package reconcile

import (
	"cmp"
	"slices"
)

// rolePower says why a ClusterRole makes as good as cluster-admin, by its rules: cluster-wide ("") or in a namespace that
// matters (kube-system, certsync's own).
func (d *differ) rolePower(role, namespace string) []string {
	power, known := d.o.Powers[role]
	if !known {
		power = powerByName(role)
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
	for g, users := range d.wanted {
		if power := d.rolePower(g.Role, g.Namespace); len(power) > 0 {
			for _, u := range users {
				powers[u] = append(powers[u], power...)
			}
		}
	}
	for u, power := range powers {
		slices.SortFunc(power, func(a, b string) int { return cmp.Or(cmp.Compare(Severity(a), Severity(b)), cmp.Compare(a, b)) })
		powers[u] = slices.Compact(power)
	}
	return powers
}

// power is Step.Power.
func (d *differ) power(s Step) []string {
	switch {
	case s.issue != nil:
		return orEmpty(d.powers[s.User])
	case s.gives():
		g, _ := d.plan.Grant(s)
		return orEmpty(d.rolePower(g.Role, g.Namespace))
	}
	return nil
}
