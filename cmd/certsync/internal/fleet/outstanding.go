package fleet

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/report"
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

// maxNamed is how many users a message names.
const maxNamed = 10

// OutstandingText says which removals a run that failed or was refused in one of several clusters has left, or "".
func OutstandingText(a report.Account) string {
	n := len(a.Outstanding)
	switch {
	case a.ExitCode == 0:
		return ""
	case a.Outstanding == nil:
		return "removals may be outstanding; without the state in Vault, certsync does not know whose"
	case n == 0:
		return ""
	case n > maxNamed:
		return fmt.Sprintf("removals are outstanding: %s and %d more", strings.Join(a.Outstanding[:maxNamed], ", "), n-maxNamed)
	}
	return "removals are outstanding: " + strings.Join(a.Outstanding, ", ")
}
