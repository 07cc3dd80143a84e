package plan

import (
	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/plan/index"
)

// whyOf is Step.Why: for a certificate what the inventory says of the user, for a binding what it says of the grant, or else of the
// user whose own it is. It is nil for what the inventory does not have.
func whyOf(x *index.Index, s reconcile.Step) *inventory.Why {
	if s.Issue != nil {
		return x.Users[s.User].Why.Given()
	}
	g, ok := reconcile.ParseBindingName(x.Inventory.Owner, s.Namespace, s.Name)
	if !ok {
		return nil
	}
	grant, ok := x.InventoryGrant(g)
	if !ok {
		return nil
	}
	if g.For == reconcile.ForUser {
		return grant.Why.Or(x.Users[g.Subject].Why).Given()
	}
	return grant.Why.Given()
}
