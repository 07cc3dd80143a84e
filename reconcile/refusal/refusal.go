// Package refusal has the rules and texts of refusals that plan, removals and preflight share. Skewed and Misplaced say why nothing
// may be written: the clocks differ, or cluster and Vault do not belong together. Protected, NoUsers and OtherInventory are texts of
// guards, which --hold or a flag lifts. Frozen is the note of selectors that match too much.
package refusal

import (
	"fmt"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// maxClockSkew is how far the local clock may be from the API server's: `until`, renewals and revocations hang on it.
const maxClockSkew = 2 * time.Minute

// Skewed says why the time here cannot be relied on, or "". there is the API server's, zero if it did not tell.
func Skewed(here, there time.Time) string {
	if there.IsZero() {
		return "the API server has not said within 10s what time it is, and expiry and renewal depend on the time (if it is overloaded, try again; otherwise find the proxy that removes the Date header)"
	}
	if skew := here.Sub(there); skew.Abs() > maxClockSkew {
		return fmt.Sprintf("the clocks of this machine and of the API server differ by %s, and expiry and renewal depend on the time (set the clock)", inventory.DurationText(skew.Abs().Round(time.Second)))
	}
	return ""
}

// NoUsers says what a plan of an inventory without users would do.
const NoUsers = "the inventory has no users: everybody would lose access (--allow-empty)"

// Frozen notes that the selectors of an inventory come to more than they may: most grants in single namespaces, and most subjects.
func Frozen(most, subjects int) reconcile.Note {
	return reconcile.Note{Kind: reconcile.SelectorsFrozen, Message: fmt.Sprintf("the inventory's selectors match too much, so what they give stays as the last run left it: "+
		"they can give %d roles in namespaces in all, and %d with one for each member of a group, and the state has to hold them (ask for more labels, or move some users to an inventory with another owner)", most, subjects)}
}

// Protection says by what a user is protected.
type Protection int

// The ways in which a user is protected.
const (
	ByFlag      Protection = iota // --protect, or the user runs apply
	ByInventory                   // `protected` in the inventory
	ByState                       // the inventory of the last run had `protected`, and this one has the user without it
	Missing                       // the same, and the user is not in this inventory
)

// Protected says that a plan would take a loss, a verb such as "remove", to a user whom a guard protects. self runs apply.
func Protected(loss, user, self string, by Protection) string {
	switch {
	case user == self:
		return fmt.Sprintf("would %s %q, the user who runs this apply (let another user apply it)", loss, user)
	case by == ByFlag:
		return fmt.Sprintf("would %s %q, a protected user (--protect)", loss, user)
	case by == ByInventory:
		return fmt.Sprintf("would %s %q, a protected user (first take protected out of the entry and apply, and then make this change)", loss, user)
	case by == ByState:
		return fmt.Sprintf("would %s %q, who was protected until now (first apply the inventory without protected and without this change)", loss, user)
	}
	return fmt.Sprintf("would %s %q, a protected user who is not in the inventory (put the entry back without protected, apply, and then delete the entry)", loss, user)
}

// OtherInventory goes on after a refusal to remove all users of an owner: their state, which may be nil, may be of another
// inventory, or all may have new names. A new owner would leave the access of an own state as it is, so this names both.
func OtherInventory(owner string, state *reconcile.State) string {
	if state == nil {
		return ""
	}
	revision := ""
	if n := len(state.Runs); n > 0 && state.Runs[n-1].Revision != "" {
		revision = fmt.Sprintf(", revision %q", reconcile.Shown(state.Runs[n-1].Revision))
	}
	return fmt.Sprintf(". None of these users is in this inventory. The last run of owner %q was at %s by %q%s (if that run was of another inventory, set another owner in this one; if you renamed the users, set previously)",
		owner, reconcile.TimeText(state.StartedAt), reconcile.Shown(state.StartedBy), revision)
}

// Misplaced says why cluster and Vault do not belong together, or not to this owner, or "".
//
//	state              | cluster                            | verdict
//	none               | ClusterRoleBindings of the owner's | refused: --new-ledger
//	none               | a generation on the Lease          | refused: --new-ledger
//	of another cluster | any                                | refused: --move-to-this-cluster
//	older              | a later generation on the Lease    | refused: --accept-rollback
//	of this cluster    | no Lease                           | refused: --accept-rollback
//	not the first      | a Lease without a generation       | refused: --accept-rollback; after the first, a run was cut off
func Misplaced(owner string, o reconcile.Observed, r reconcile.Rules) string {
	bound := 0
	for _, b := range o.Bindings {
		if _, ours := reconcile.ParseBindingName(owner, b.Namespace, b.Name); ours && b.Kind == reconcile.ClusterRoleBinding {
			bound++
		}
	}
	switch state := o.State; {
	case state == nil && r.NewLedger:
	case state == nil && bound > 0:
		return fmt.Sprintf("the cluster has %d ClusterRoleBindings of owner %s, and Vault has no state: check that Vault, mount and prefix are right (--new-ledger)", bound, owner)
	case state == nil && o.Generation > 0:
		return fmt.Sprintf("owner %s has been applied to this cluster (generation %d), and Vault has no state: check that Vault, mount and prefix are right (--new-ledger)",
			owner, o.Generation)
	case state == nil:
	case state.ClusterUID != o.ClusterView.UID && !r.MoveToThisCluster:
		return fmt.Sprintf("owner %s belongs to another cluster (its kube-system has UID %s, this one's %s): every credential would be replaced (--move-to-this-cluster)",
			owner, state.ClusterUID, o.ClusterView.UID)
	case state.ClusterUID != o.ClusterView.UID, r.AcceptRollback:
	case state.Generation < o.Generation:
		return fmt.Sprintf("Vault's state is of generation %d, and the last run wrote %d: was Vault restored from a backup? (--accept-rollback)",
			state.Generation, o.Generation)
	case !o.Leased, o.Generation == 0 && state.Generation > 1:
		return fmt.Sprintf("Vault's state is of generation %d, and no Lease says whether that is the last one: was the Lease deleted, or is it in another namespace (--lock-namespace)? (--accept-rollback)",
			state.Generation)
	}
	return ""
}
