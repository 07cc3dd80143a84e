package plan

import (
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/access"
)

// RolePower says why a role makes as good as cluster-admin, by its rules: cluster-wide ("") or in a namespace that matters
// (kube-system, certsync's own).
func (x *Index) RolePower(role reconcile.Role, namespace string) []string {
	power, known := x.powers[role]
	if !known {
		if rules, exists := x.Observed.Rules[role]; exists {
			power = access.PowerOf(rules)
		} else if role.Namespace == "" {
			power = access.PowerByName(role.Name)
		}
		x.powers[role] = power
	}
	switch namespace {
	case "":
		return power.Everywhere
	case "kube-system", x.rules.Namespace:
		return power.InSystem
	}
	return nil
}

// userPowers collects why users are as good as cluster-admin by all that the inventory gives them.
func userPowers(x *Index) map[string][]string {
	powers := map[string][]string{}
	for g, users := range x.Wanted {
		if power := x.RolePower(reconcile.Role{Name: g.Role}, g.Namespace); len(power) > 0 {
			for _, u := range users {
				powers[u] = append(powers[u], power...)
			}
		}
	}
	for u, power := range powers {
		powers[u] = access.Worst(power)
	}
	return powers
}

// power is Step.Power.
func power(x *Index, powers map[string][]string, s reconcile.Step) []string {
	switch {
	case s.Issue != nil:
		return reconcile.OrEmpty(powers[s.User])
	case s.Gives():
		return reconcile.OrEmpty(x.RolePower(reconcile.Role{Name: s.Role}, s.Namespace))
	}
	return nil
}
