package status

import (
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/granted"
)

// Outstanding lists the users whose access is to end and of whom no run has taken everything yet, sorted. They are in the index, and by
// the inventory they have no access at that time. The index says that they are gone when a run begins, so the record decides whether
// that run came to them. It needs no cluster, so it also answers for one that cannot be reached.
func Outstanding(inv *inventory.Inventory, v reconcile.StoreView, at time.Time) []string {
	all := []string{}
	for user, entry := range v.Ledger {
		if entry.Record != nil && entry.Record.State == reconcile.Removing { // an earlier run ended in the middle
			all = append(all, user)
		}
	}
	if v.State == nil {
		return reconcile.SortedSet(all)
	}
	has := map[string]bool{}
	for _, u := range inv.Users {
		has[u.Name] = !granted.Ended(u.Until, at) && !granted.Ahead(u.From, at)
	}
	for name, n := range v.State.Names {
		rec := v.Ledger[name].Record
		untouched := rec != nil && (rec.State == reconcile.Active || rec.State == reconcile.Denied)
		if (!n.Left && !n.Ended || untouched) && !has[name] {
			all = append(all, name)
		}
	}
	return reconcile.SortedSet(all)
}
