package plan

import (
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/access"
	"github.com/certsync/certsync/reconcile/plan/index"
)

// userPowers collects why users are as good as cluster-admin by all that the inventory gives them now.
func userPowers(x *index.Index) map[string][]string { return powersOf(x, x.Wanted) }

// powersOf collects why users are as good as cluster-admin by grants.
func powersOf(x *index.Index, grants map[reconcile.Grant][]string) map[string][]string {
	powers := map[string][]string{}
	for g, users := range grants {
		if power := x.RolePower(g.Bound(), g.Namespace); len(power) > 0 {
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
func power(x *index.Index, powers map[string][]string, s reconcile.Step) []string {
	switch {
	case s.Issue != nil:
		return reconcile.OrEmpty(powers[s.User])
	case s.Gives():
		return reconcile.OrEmpty(x.RolePower(s.Bound(), s.Namespace))
	}
	return nil
}
