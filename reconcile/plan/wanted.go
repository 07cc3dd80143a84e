package plan

import (
	"cmp"
	"slices"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// Granted collects who should be a subject of what: the grants that an inventory gives at a time, each (Part 0 stands for all its
// parts) with its users, sorted, but for those in without. At the zero time, nothing has ended.
func Granted(inv *inventory.Inventory, at time.Time, without map[string]bool) map[reconcile.Grant][]string {
	wanted := map[reconcile.Grant][]string{}
	members := map[string][]string{}
	add := func(g reconcile.Grant, roles []inventory.Grant, users ...string) {
		for _, r := range roles {
			g.Role = r.ClusterRole
			if !ended(r.Until, at) && len(users) > 0 {
				wanted[g] = append(wanted[g], users...)
			}
		}
	}
	for _, u := range inv.Users {
		if ended(u.Until, at) || without[u.Name] {
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

// ended reports whether access that lasts until a time is over at another.
func ended(until, at time.Time) bool { return !until.IsZero() && !until.After(at) }

func compareGrants(a, b reconcile.Grant) int {
	return cmp.Or(cmp.Compare(a.For, b.For), cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Namespace, b.Namespace),
		cmp.Compare(a.Role, b.Role), cmp.Compare(a.Part, b.Part))
}

// InventoryGrant finds what the inventory says of a grant, whether or not it has ended.
func (x *Index) InventoryGrant(g reconcile.Grant) (inventory.Grant, bool) {
	cluster, namespaces := x.Groups[g.Subject].ClusterRoles, x.Groups[g.Subject].Namespaces
	if g.For == reconcile.ForUser {
		cluster, namespaces = x.Users[g.Subject].ClusterRoles, x.Users[g.Subject].Namespaces
	}
	if g.Namespace != "" {
		cluster = namespaces[g.Namespace]
	}
	i := slices.IndexFunc(cluster, func(r inventory.Grant) bool { return r.ClusterRole == g.Role })
	if i < 0 {
		return inventory.Grant{}, false
	}
	return cluster[i], true
}
