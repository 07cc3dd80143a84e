package plan

import (
	"cmp"
	"slices"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/plan/index"
)

// maxBegins bounds the notes on users and grants that begin later. The next ones are told.
const maxBegins = 20

// beginnings notes users and grants whose `from` lies ahead. Nobody may see the plan of the run that gives the access then, so a
// note has the power that it gives.
func beginnings(x *index.Index) []reconcile.Note {
	var all []reconcile.Note
	for _, u := range x.Inventory.Users {
		if x.Ahead[u.Name] {
			all = append(all, reconcile.Note{User: u.Name, Kind: reconcile.Begins, From: &u.From, Message: "access begins", Why: u.Why.Given()})
		}
		all = append(all, grantsBegin(x, reconcile.Note{User: u.Name, Why: u.Why.Given()}, u.From, u.Until, u.ClusterRoles, u.Namespaces)...)
	}
	for _, g := range x.Inventory.Groups {
		all = append(all, grantsBegin(x, reconcile.Note{Group: g.Name}, time.Time{}, time.Time{}, g.ClusterRoles, g.Namespaces)...)
	}
	slices.SortFunc(all, func(a, b reconcile.Note) int {
		return cmp.Or(a.From.Compare(*b.From), cmp.Compare(a.User, b.User), cmp.Compare(a.Group, b.Group), cmp.Compare(a.Message, b.Message))
	})
	if more := len(all) - maxBegins; more > 0 {
		all = append(all[:maxBegins], reconcile.Note{Kind: reconcile.Begins, Message: moreText(more) + " that begin later"})
	}
	if len(x.Ahead) > 0 {
		powers := powersOf(x, x.Ever())
		for i, n := range all {
			if x.Ahead[n.User] && n.Power == nil {
				all[i].Power = powers[n.User]
			}
		}
	}
	return all
}

// grantsBegin notes the grants of n's user or group that begin later, and within the user's own term.
func grantsBegin(x *index.Index, n reconcile.Note, from, until time.Time, cluster []inventory.Grant, namespaces map[string][]inventory.Grant) []reconcile.Note {
	var all []reconcile.Note
	var users inventory.Why
	if n.Why != nil {
		users = *n.Why
	}
	say := func(roles []inventory.Grant, namespace string) {
		for _, r := range roles {
			g := reconcile.Grant{Namespace: namespace}.Of(r)
			if x.IsAhead(r.From) && r.From.After(from) && (until.IsZero() || r.From.Before(until)) {
				n.Kind, n.From, n.Message = reconcile.Begins, &r.From, g.String()+" begins"
				n.Why = r.Why.Or(users).Given()
				n.Power = x.RolePower(g.Bound(), namespace)
				all = append(all, n)
			}
		}
	}
	say(cluster, "")
	for namespace, roles := range namespaces {
		say(roles, namespace)
	}
	return all
}
