package index

import (
	"maps"
	"slices"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/granted"
)

// Freeze is New, and what selectors give stays as the last run left it.
func Freeze(file *inventory.Inventory, o reconcile.Observed, r reconcile.Rules) *Index {
	x := build(file, granted.Frozen(file, lastGiven(file.Owner, o), o.At, r.Namespace, r.LockNamespace), o, r)
	x.Frozen = true
	return x
}

// lastGiven lists what the last run gave. Without its state these are the bindings that are ours by their names.
func lastGiven(owner string, o reconcile.Observed) []reconcile.Grant {
	if o.State != nil && o.State.Grants != nil {
		return slices.Collect(maps.Keys(o.State.Grants.All()))
	}
	return reconcile.GrantsOf(owner, o.Bindings)
}
