package plan

import (
	"slices"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/plan/index"
	"github.com/certsync/certsync/reconcile/refusal"
)

// refusals are what forbids every write, whatever --hold says: the plan was made from the wrong world.
func refusals(x *index.Index, p reconcile.Plan, crowded bool) []string {
	all := []string{refusal.Skewed(x.Observed.At, x.Observed.Clock)}
	if !x.Rules.AcceptSharedCA {
		all = append(all, x.Observed.FrontProxy.ForgeableByAll())
	}
	all = append(all, refusal.Misplaced(x.Inventory.Owner, x.Observed, x.Rules))
	if x.Rules.Drift && !x.SameInventory {
		all = append(all, "this inventory is not the one that was applied last, and --drift corrects drift only (if it is the newer one, apply it without --drift)")
	}
	if crowded {
		all = append(all, p.State.TooLarge())
	}
	return slices.DeleteFunc(all, func(why string) bool { return why == "" })
}
