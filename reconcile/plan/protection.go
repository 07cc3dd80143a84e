package plan

import (
	"slices"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/plan/index"
	"github.com/certsync/certsync/reconcile/refusal"
)

// protection holds removals from one user: one whom a flag, the inventory or the state protects, or the one that runs apply. A removal
// by the inventory refuses the plan. A loss that only lasts until the next run, goes with a label, or comes from the user's own paths in
// Vault, holds this user alone.
type protection struct{ name string }

func (f protection) find(d *draft) (refusals []string, hold func()) {
	if len(d.x.Inventory.Users) == 0 && !d.x.Rules.AllowEmpty {
		return nil, nil
	}
	says := func(loss string) string {
		return refusal.Protected(loss, f.name, d.x.Rules.Self, protectedBy(d.x, f.name))
	}
	holds := func(why string, by reconcile.HoldCause) func() {
		return func() {
			for _, name := range append(d.x.ProtectedBefore(f.name), f.name) {
				d.holdUser(name, why, by)
			}
		}
	}
	if d.x.Epochs.Withheld[f.name] || d.x.WithholdsFormer(f.name) {
		refusals = append(refusals, says("revoke the certificates of"))
	}
	if loss := lossOf(d, f.name); loss != "" && d.x.Rules.Policy.Takes() {
		why := says(loss)
		return append(refusals, why), holds(why, reconcile.ByGuard)
	}
	if loss := earlyLossOf(d, f.name); loss != "" {
		return refusals, holds(says(loss), reconcile.ByConflict)
	}
	return refusals, nil
}

// protectedBy says by what a user is protected, which decides on the way to lift it.
func protectedBy(x *index.Index, name string) refusal.Protection {
	u, inInventory := x.Users[name]
	switch {
	case slices.Contains(x.Rules.Protect, name), name == x.Rules.Self:
		return refusal.ByFlag
	case u.Protected:
		return refusal.ByInventory
	case inInventory:
		return refusal.ByState
	}
	return refusal.Missing
}

// unprotected makes the steps that take protection from users. apply only records them, with the state.
func unprotected(x *index.Index) []reconcile.Step {
	var all []reconcile.Step
	for _, u := range x.Inventory.Users {
		if x.Unprotects(u.Name) {
			all = append(all, reconcile.Step{User: u.Name, Username: x.Username(u.Name), Action: reconcile.Update,
				Reasons: []reconcile.Reason{reconcile.Unprotected}, Stage: reconcile.StageRevoke})
		}
	}
	return all
}

// protect marks the names of protected users in the next state. A name keeps its mark while it is not in the inventory, and hands it
// over in a rename, when the new name has an entry. Where the policy holds updates, nobody loses protection.
func protect(x *index.Index, names map[string]reconcile.Name) {
	keeps := x.Rules.Policy.Forbids(reconcile.Update) != ""
	protected := func(user string) bool { return x.Users[user].Protected || keeps && x.WasProtected(user) }
	for name, n := range names {
		now := x.Successor[name]
		_, moved := names[now]
		switch _, inInventory := x.Users[name]; {
		case inInventory:
			n.Protected = protected(name)
		case now != "":
			n.Protected = n.Protected && protected(now) && !moved
		}
		names[name] = n
	}
}
