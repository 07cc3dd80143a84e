package review

import (
	"slices"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/access"
)

// Growth is a role that gives more than it did, without a new binding.
type Growth struct {
	Kind      string           `json:"kind"`
	Namespace string           `json:"namespace,omitempty"`
	Name      string           `json:"name"`
	From      access.Strength  `json:"from"`
	To        access.Strength  `json:"to"`
	Power     []string         `json:"power"` // that it did not have
	Rules     []reconcile.Rule `json:"rules"` // that it did not have
	Holders   int              `json:"holders"`
}

// stronger lists the roles that have rules, or power, that they did not have, with how many hold them.
func stronger(now, earlier Review) []Growth {
	holders := map[reconcile.Role]int{}
	now.each(func(_ holder, _ accessKey, a *Access) { holders[roleOf(a.Kind, a.Namespace, a.Role)]++ })
	was := map[reconcile.Role]Role{}
	for _, role := range earlier.Roles {
		was[roleOf(role.Kind, role.Namespace, role.Name)] = role
	}
	all := []Growth{}
	for _, role := range now.Roles {
		key := roleOf(role.Kind, role.Namespace, role.Name)
		before, known := was[key]
		if !known || holders[key] == 0 {
			continue // nobody had it then, or nobody has it now: that is in Gained and Lost
		}
		g := Growth{Kind: role.Kind, Namespace: role.Namespace, Name: role.Name, From: before.Strength, To: role.Strength, Power: []string{}, Rules: []reconcile.Rule{}, Holders: holders[key]}
		for _, why := range role.Power {
			if !slices.Contains(before.Power, why) {
				g.Power = append(g.Power, why)
			}
		}
		for _, rule := range role.Rules {
			if !slices.ContainsFunc(before.Rules, func(was reconcile.Rule) bool { return access.Within(rule, was) }) {
				g.Rules = append(g.Rules, rule)
			}
		}
		if len(g.Power) > 0 || len(g.Rules) > 0 {
			all = append(all, g)
		}
	}
	return all
}
