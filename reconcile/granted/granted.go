// Package granted says what an inventory gives to whom at a time: who should be a subject of which bindings. The package is pure.
//
// Begin at At. It knows no selectors: Effective first makes of them grants in single namespaces.
//
//	granted.go    At, and the same for all that has begun, has not ended, or is given at any time; when from and until count
//	effective.go  Effective: which namespaces a selector matches, and how much selectors may give
//	merged.go     Frozen: what stays where selectors come to more than that; and which of two grants of one role counts
package granted

import (
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// At collects who should be a subject of what: the grants that an inventory gives at a time, each (Part 0 stands for all its
// parts) with its users, sorted, but for those in without.
func At(inv *inventory.Inventory, at time.Time, without map[string]bool) map[reconcile.Grant][]string {
	return collect(inv, without, func(from, until time.Time) bool { return !Ahead(from, at) && !Ended(until, at) })
}

// Begun collects what At would if nothing ended: all that has begun by a time.
func Begun(inv *inventory.Inventory, at time.Time) map[reconcile.Grant][]string {
	return collect(inv, nil, func(from, _ time.Time) bool { return !Ahead(from, at) })
}

// Still collects what At gives now or later: all that has not ended by a time.
func Still(inv *inventory.Inventory, at time.Time) map[reconcile.Grant][]string {
	return collect(inv, nil, func(_, until time.Time) bool { return !Ended(until, at) })
}

// Ever collects what At gives at any time.
func Ever(inv *inventory.Inventory) map[reconcile.Grant][]string {
	return collect(inv, nil, func(_, _ time.Time) bool { return true })
}

// collect collects the grants of which runs says that their terms run, those of the user and of the grant.
func collect(inv *inventory.Inventory, without map[string]bool, runs func(from, until time.Time) bool) map[reconcile.Grant][]string {
	wanted := map[reconcile.Grant][]string{}
	members := map[string][]string{}
	add := func(g reconcile.Grant, roles []inventory.Grant, users ...string) {
		for _, r := range roles {
			g := g.Of(r)
			if runs(r.From, r.Until) && len(users) > 0 {
				wanted[g] = append(wanted[g], users...)
			}
		}
	}
	for _, u := range inv.Users {
		if !runs(u.From, u.Until) || without[u.Name] {
			continue
		}
		g := reconcile.Grant{For: reconcile.ForUser, Subject: u.Name}
		add(g, u.ClusterRoles, u.Name)
		for ns, roles := range u.Namespaces {
			g.Namespace = ns
			add(g, roles, u.Name)
		}
		for _, name := range reconcile.SortedSet(u.Groups) {
			members[name] = append(members[name], u.Name)
		}
	}
	for _, grp := range inv.Groups {
		g := reconcile.Grant{For: reconcile.ForGroup, Subject: grp.Name}
		add(g, grp.ClusterRoles, members[grp.Name]...)
		for ns, roles := range grp.Namespaces {
			g.Namespace = ns
			add(g, roles, members[grp.Name]...)
		}
	}
	for g := range wanted {
		wanted[g] = reconcile.SortedSet(wanted[g])
	}
	return wanted
}

// Ended reports whether access that lasts until a time is over at another.
func Ended(until, at time.Time) bool { return !until.IsZero() && !until.After(at) }

// Ahead reports whether access that begins at a time has not begun at another.
func Ahead(from, at time.Time) bool { return from.After(at) }
