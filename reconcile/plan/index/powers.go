package index

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
	case "kube-system", x.Rules.Namespace:
		return power.InSystem
	}
	return nil
}
