// Package index has what an inventory wants and what was observed, by name. An [Index] is built once by [New] and never
// changed, but for the cache of [Index.RolePower]. It decides about the epochs only, since all else depends on them: by which
// name Kubernetes knows a user, and whose certificates are void.
//
// Where a comment says "the index", it means the owner's index in Vault, see reconcile.State.
//
//	index.go       users, bindings and names; whom certsync knows, and what counts as a loss
//	terms.go       whose access has begun, and whose has ended; who had another name (Successor)
//	epochs.go      the epoch of each name, see Epochs
//	protection.go  from whom nothing may be taken
//	grants.go      what the inventory says of a grant
//	powers.go      what a role makes of somebody
//	freeze.go      Freeze: an index where selectors give only what they gave in the last run
package index

import (
	"maps"
	"slices"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/access"
	"github.com/certsync/certsync/reconcile/endpoint"
	"github.com/certsync/certsync/reconcile/granted"
)

// Index has what an inventory wants and what was observed, by name. It is built once, so that a look-up
// for one user does not walk all bindings.
type Index struct {
	// Inventory has the grants of selectors under the namespaces that they match. File is the inventory as it is written.
	Inventory, File *inventory.Inventory
	// Frozen: selectors come to more than they may, and what they gave before stays, see granted.Frozen.
	Frozen   bool
	Observed reconcile.Observed
	Rules    reconcile.Rules

	Active map[string]bool // users in the inventory whose access has begun and not ended
	Lapsed map[string]bool // users in the inventory whose `until` has passed
	Ahead  map[string]bool // users in the inventory whose `from` lies ahead
	Users  map[string]inventory.User
	Groups map[string]inventory.Group
	// Successor has the name that somebody has now, by the one that they had before.
	Successor map[string]string
	Former    map[string]bool // names that people had before whose time has passed
	// FormerAhead has names that people had before whose `from` lies ahead. They keep nothing: it would be more than the file
	// says.
	FormerAhead map[string]bool
	// Wanted has who should be a subject of what, see granted.At.
	Wanted map[reconcile.Grant][]string
	// SameInventory: the last run had this very inventory, so whatever differs has drifted.
	SameInventory bool
	// Names is the owner's index of names under which certificates may live.
	Names map[string]reconcile.Name
	// Grants is what people have by certsync. It is nil if nobody knows: the state is of version 1, may be from a backup, or is to
	// begin anew.
	Grants *reconcile.Grants
	Epochs Epochs
	// Recorded is what the state has, or will have, of certsync's own connection. Endpoint is what users get.
	Recorded, Endpoint reconcile.Endpoint

	Ours     map[string]Binding        // by Object()
	Misnamed []string                  // names that begin like ours and are none, by Object(), sorted
	Parts    map[reconcile.Grant][]int // numbers of the parts that exist, sorted, by the grant with Part 0
	serves   map[reconcile.Subject][]*reconcile.Binding
	// powers has the power of the roles that somebody has asked for.
	powers map[reconcile.Role]access.Power
}

// Binding is a binding of this owner, by its name.
type Binding struct {
	reconcile.Binding
	Grant reconcile.Grant
}

// RightRole reports whether a binding grants what its name says.
func (b Binding) RightRole() bool {
	return b.RoleRef == b.Grant.RoleRef()
}

// New sorts an inventory and what was observed.
func New(file *inventory.Inventory, o reconcile.Observed, r reconcile.Rules) *Index {
	inv, bounded := granted.Effective(file, o.Namespaces, o.At, r.Namespace, r.LockNamespace)
	if !bounded {
		return Freeze(file, o, r)
	}
	return build(file, inv, o, r)
}

// build sorts an inventory without selectors.
func build(file, inv *inventory.Inventory, o reconcile.Observed, r reconcile.Rules) *Index {
	x := &Index{
		Inventory: inv, File: file, Observed: o, Rules: r,
		Active: map[string]bool{}, Lapsed: map[string]bool{}, Ahead: map[string]bool{}, Users: map[string]inventory.User{}, Groups: map[string]inventory.Group{},
		Successor: map[string]string{}, Former: map[string]bool{}, FormerAhead: map[string]bool{},
		Ours: map[string]Binding{}, Parts: map[reconcile.Grant][]int{}, serves: access.Others(inv.Owner, o.Bindings),
		powers:        map[reconcile.Role]access.Power{},
		SameInventory: o.State != nil && o.State.InventoryDigest == file.Digest(),
	}
	for _, u := range inv.Users {
		x.addUser(u)
	}
	for _, g := range inv.Groups {
		x.Groups[g.Name] = g
	}
	var known reconcile.Endpoint
	switch {
	case o.State != nil:
		known = o.State.Endpoint
		if latest(o) {
			x.Grants = o.State.Grants
		}
	case !r.NewLedger:
		x.Grants = &reconcile.Grants{} // nothing was ever given, or the plan is refused
	}
	x.sortBindings()
	x.Names = x.indexedNames()
	x.beginEpochs()
	x.Wanted = granted.At(inv, o.At, x.Epochs.Void)
	x.Recorded = endpoint.Recorded(inv.Cluster, known, o.Endpoint)
	x.Endpoint = endpoint.Of(inv.Cluster, x.Recorded)
	return x
}

// sortBindings sorts the observed bindings by whose they are.
func (x *Index) sortBindings() {
	for _, b := range x.Observed.Bindings {
		if grant, ours := reconcile.ParseBindingName(x.Inventory.Owner, b.Namespace, b.Name); ours {
			x.Ours[b.Object()] = Binding{b, grant}
			part := grant.Part
			grant.Part = 0
			x.Parts[grant] = append(x.Parts[grant], part)
			continue
		}
		if b.OwnerOf() == x.Inventory.Owner {
			x.Misnamed = append(x.Misnamed, b.Object())
		}
	}
	for _, numbers := range x.Parts {
		slices.Sort(numbers)
	}
	slices.Sort(x.Misnamed)
}

// Others lists the bindings that are not ours and name a subject.
func (x *Index) Others(s reconcile.Subject) []*reconcile.Binding { return x.serves[s] }

// latest reports whether the state has an index, and the lock says that no later one was written.
func latest(o reconcile.Observed) bool {
	return o.State != nil && o.State.Names != nil && o.Generation > 0 && o.State.Generation >= o.Generation
}

// indexedNames is the index of names. Where the state is not the latest, or has no names, the ledger adds its certificates.
// It can only raise an epoch, and where the lock tells, not above the counter: a higher number is forged. Since stays zero where
// only the ledger knows a name. Certificates that were issued after such a state end later than it says.
func (x *Index) indexedNames() map[string]reconcile.Name {
	o, names, highest := x.Observed, map[string]reconcile.Name{}, x.counter()
	if o.Generation == 0 {
		highest += maxForeignStep
	}
	if o.State != nil {
		maps.Copy(names, o.State.Names)
		if latest(o) {
			return names
		}
	}
	end := o.At.Add(reconcile.LedgerRetention) // Kubernetes' own signer gives a year at most, unless it is told otherwise
	for user, entry := range o.Ledger {
		rec := entry.Record
		n, known := names[user]
		if rec == nil {
			if !known && (entry.Problem != "" || entry.Lost) {
				names[user] = reconcile.Name{Until: end}
			}
			continue
		}
		until, live := rec.LiveUntil(o.At)
		if !live {
			continue
		}
		if until.After(n.Until) {
			n.Until = until
		}
		for _, c := range rec.Certificates {
			n.Epoch = max(n.Epoch, min(c.Epoch, highest))
		}
		n.Left, n.Ended = n.Left || rec.Left(), rec.State == reconcile.Removed && rec.Ended()
		names[user] = n
	}
	if o.State == nil || o.State.Names != nil {
		for user, epoch := range x.boundEpochs() { // of whom only a binding is left
			if _, known := names[user]; !known && inventory.ValidName(user) {
				names[user] = reconcile.Name{Epoch: epoch}
			}
		}
		for user, n := range names {
			if n.Until.Before(end) {
				n.Until = end
			}
			names[user] = n
		}
	}
	return names
}

// Known lists all users that the index, the ledger or the credentials know, those whom ClusterRoleBindings of ours serve, and
// those whose time has passed, or not come. RoleBindings tell nothing: tenants can make them for anybody.
func (x *Index) Known() []string {
	names := map[string]bool{}
	for name := range x.Names {
		names[name] = true
	}
	for name := range x.Observed.Ledger {
		names[name] = true
	}
	for name := range x.Observed.Credentials {
		names[name] = true
	}
	maps.Copy(names, x.Lapsed)
	maps.Copy(names, x.Ahead)
	for _, b := range x.Ours {
		for _, s := range b.Subjects {
			if user := s.Person(); b.Kind == reconcile.ClusterRoleBinding && user != "" {
				names[user] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// Knows reports whether a user is, or was, one of this owner's.
func (x *Index) Knows(user string) bool {
	_, recorded := x.Observed.Ledger[user]
	_, indexed := x.Names[user]
	return recorded || indexed || x.Active[user] || x.Lapsed[user] || x.Ahead[user]
}

// Living is the index's entry for a name under which a certificate may live.
func (x *Index) Living(user string) (reconcile.Name, bool) {
	n, ok := x.Names[user]
	return n, ok && n.Until.After(x.Observed.At)
}

// Indexed reports whether the index has a name.
func (x *Index) Indexed(user string) bool {
	_, indexed := x.Names[user]
	return indexed
}

// outlived reports whether a certificate of somebody who left may live under a user's name. Only the index tells.
func (x *Index) outlived(user string) bool {
	n, living := x.Living(user)
	return living && n.Left
}

// Counts reports whether a user loses something when the subject s is taken out of a binding for g. To take a name of an earlier epoch out is none: the
// new name has the access.
func (x *Index) Counts(g reconcile.Grant, s reconcile.Subject) bool {
	name := s.Person()
	return name != "" && reconcile.Authorized(s) == x.Subject(name) && x.Explained(g, name)
}

// Inherits reports whether somebody should have under the name that they have now what g gave to their old one. If not, it
// is a role that was taken away, for which no rename waits.
func (x *Index) Inherits(old string, g reconcile.Grant) bool {
	now := x.Successor[old]
	if g.Part = 0; g.For == reconcile.ForUser {
		g.Subject = now
	}
	return now != "" && x.Wants(g, now)
}

// Closed reports whether nobody can be added to a grant: its namespace is missing or terminating. People are taken out
// there all the same, since a finalizer can keep a namespace terminating, and what is bound in it granted, for good.
func (x *Index) Closed(g reconcile.Grant) bool {
	return g.Namespace != "" && !x.Observed.Namespaces[g.Namespace].Open
}

// Explained reports whether a user has g by certsync, so that guards count its loss. Guards do not count other subjects of our
// bindings: somebody else put them there, or an earlier run decided their end. Only administrators can write
// ClusterRoleBindings, so a user of this owner in one counts as well. Without grants, all of our ClusterRoleBindings count,
// and the users of this owner in RoleBindings.
func (x *Index) Explained(g reconcile.Grant, user string) bool {
	if x.Grants == nil {
		return g.Namespace == "" || x.Knows(user)
	}
	return x.Grants.Has(g, user) || g.Namespace == "" && x.Knows(user)
}
