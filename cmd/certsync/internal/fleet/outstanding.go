package fleet

import (
	"slices"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/status"
)

// Outstanding lists the users who should have no access and of whom a run that had no plan has taken nothing, by what Vault says of
// them, sorted. Without any it is empty, not nil.
func Outstanding(inv *inventory.Inventory, v reconcile.StoreView, at time.Time) []string {
	all := append([]string{}, status.Outstanding(inv, v.State, at)...)
	for user, entry := range v.Ledger {
		if entry.Record != nil && entry.Record.State == reconcile.Removing { // an earlier run ended in the middle
			all = append(all, user)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
