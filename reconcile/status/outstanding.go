package status

import (
	"slices"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/granted"
)

// Outstanding lists the users whose access is to end and of whom no run has taken everything yet, sorted. They are in the index, and by
// the inventory they have no access at that time. It needs no cluster, so it also answers for one that cannot be reached. Without
// a state it is nil.
func Outstanding(inv *inventory.Inventory, s *reconcile.State, at time.Time) []string {
	if s == nil {
		return nil
	}
	has := map[string]bool{}
	for _, u := range inv.Users {
		has[u.Name] = !granted.Ended(u.Until, at) && !granted.Ahead(u.From, at)
	}
	var all []string
	for name, n := range s.Names {
		if !n.Left && !n.Ended && !has[name] {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}
