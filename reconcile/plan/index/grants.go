package index

import (
	"slices"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/granted"
)

// InventoryGrant finds what the inventory says of a grant, whether or not it has ended.
func (x *Index) InventoryGrant(g reconcile.Grant) (inventory.Grant, bool) {
	cluster, namespaces := x.Groups[g.Subject].ClusterRoles, x.Groups[g.Subject].Namespaces
	if g.For == reconcile.ForUser {
		cluster, namespaces = x.Users[g.Subject].ClusterRoles, x.Users[g.Subject].Namespaces
	}
	if g.Namespace != "" {
		cluster = namespaces[g.Namespace]
	}
	i := slices.IndexFunc(cluster, func(r inventory.Grant) bool { return g.Of(r) == g })
	if i < 0 {
		return inventory.Grant{}, false
	}
	return cluster[i], true
}

// Ever has what the inventory gives at any time, as Wanted has what it gives now.
func (x *Index) Ever() map[reconcile.Grant][]string { return granted.Ever(x.Inventory) }

// Wants reports whether the inventory gives g to a user.
func (x *Index) Wants(g reconcile.Grant, user string) bool {
	_, wanted := slices.BinarySearch(x.Wanted[g], user)
	return wanted
}

// Unselected reports whether g is unwanted for its namespace's labels alone: a selector gives g's role to g's user or group now, and
// no selector that does matches the namespace.
func (x *Index) Unselected(g reconcile.Grant) bool {
	_, wanted := x.Wanted[g]
	return g.Namespace != "" && !wanted && granted.BySelectorAt(x.File, g, x.Observed.At)
}

// Ends reports whether g goes because its `until` has passed. An end from before the last run is not the reason where a selector
// gives the same role now: the namespace has lost its label since.
func (x *Index) Ends(g reconcile.Grant) bool {
	until := x.EndOf(g)
	s := x.Observed.State
	return x.Ended(until) && (s == nil || until.After(s.StartedAt) || !x.Unselected(g))
}

// EndOf is the `until` of g in the inventory, or zero.
func (x *Index) EndOf(g reconcile.Grant) time.Time {
	grant, _ := x.InventoryGrant(g)
	return grant.Until
}

// BySelector reports whether a selector of the inventory gives g's role to g's user or group, in whatever namespaces.
func (x *Index) BySelector(g reconcile.Grant) bool { return granted.BySelector(x.File, g) }
