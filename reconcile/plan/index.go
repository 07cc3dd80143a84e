package plan

import (
	"maps"
	"slices"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/access"
	"github.com/certsync/certsync/reconcile/granted"
)

// Index has what an inventory wants and what was observed, by name. It is built once and never changed, so that a look-up
// for one user does not walk all bindings.
type Index struct {
	Inventory *inventory.Inventory
	Observed  reconcile.Observed
	rules     reconcile.Rules

	Active map[string]bool // users in the inventory whose access has not ended
	Lapsed map[string]bool // users in the inventory whose `until` has passed
	Users  map[string]inventory.User
	Groups map[string]inventory.Group
	// successor has the name that somebody has now, by the one that they had before.
	successor map[string]string
	former    map[string]bool // names that people had before whose time has passed
	// Wanted has who should be a subject of what, see Granted.
	Wanted map[reconcile.Grant][]string
	// sameInventory: the last run had this very inventory, so whatever differs has drifted.
	sameInventory bool
	// names is the owner's index of names under which certificates may live.
	names map[string]reconcile.Name
	// grants is what people have by certsync. It is nil if nobody knows: the state is of version 1, may be from a backup, or is to
	// begin anew.
	grants *reconcile.Grants
	epochs epochs
	// recorded is what the state has, or will have, of certsync's own connection. endpoint is what users get.
	recorded, endpoint reconcile.Endpoint

	Ours      map[string]OurBinding     // by Object()
	misnamed  []string                  // names that begin like ours and are none, by Object(), sorted
	parts     map[reconcile.Grant][]int // numbers of the parts that exist, sorted, by the grant with Part 0
	serves    map[reconcile.Subject][]reconcile.Binding
	boundWide int // how many ClusterRoleBindings are ours
	// powers has the power of the roles that somebody has asked for.
	powers map[reconcile.Role]access.Power
}

// OurBinding is a binding of this owner, by its name.
type OurBinding struct {
	reconcile.Binding
	Grant reconcile.Grant
}

// rightRole reports whether a binding grants what its name says.
func (b OurBinding) rightRole() bool {
	return b.RoleRef == reconcile.RoleRef{Kind: "ClusterRole", Name: b.Grant.Role}
}

// NewIndex sorts an inventory and what was observed.
func NewIndex(inv *inventory.Inventory, o reconcile.Observed, r reconcile.Rules) *Index {
	x := &Index{
		Inventory: inv, Observed: o, rules: r,
		Active: map[string]bool{}, Lapsed: map[string]bool{}, Users: map[string]inventory.User{}, Groups: map[string]inventory.Group{},
		successor: map[string]string{}, former: map[string]bool{},
		Ours: map[string]OurBinding{}, parts: map[reconcile.Grant][]int{}, serves: access.Others(inv.Owner, o.Bindings),
		powers:        map[reconcile.Role]access.Power{},
		sameInventory: o.State != nil && o.State.InventoryDigest == inv.Digest(),
	}
	for _, u := range inv.Users {
		x.Users[u.Name] = u
		if x.Ended(u.Until) {
			x.Lapsed[u.Name] = true
			for _, old := range u.Previously {
				x.former[old] = true
			}
		} else {
			x.Active[u.Name] = true
			for _, old := range u.Previously {
				x.successor[old] = u.Name
			}
		}
	}
	for _, g := range inv.Groups {
		x.Groups[g.Name] = g
	}
	var known reconcile.Endpoint
	switch {
	case o.State != nil:
		known = o.State.Endpoint
		if latest(o) {
			x.grants = o.State.Grants
		}
	case !r.NewLedger:
		x.grants = &reconcile.Grants{} // nothing was ever given, or the plan is refused
	}
	x.sortBindings()
	x.names = x.indexedNames()
	x.beginEpochs()
	x.Wanted = granted.At(inv, o.At, x.epochs.void)
	x.recorded = reconcile.Recorded(inv.Cluster, known, o.Endpoint)
	x.endpoint = reconcile.EndpointOf(inv.Cluster, x.recorded)
	return x
}

// sortBindings sorts the observed bindings by whose they are.
func (x *Index) sortBindings() {
	for _, b := range x.Observed.Bindings {
		if grant, ours := reconcile.ParseBindingName(x.Inventory.Owner, b.Namespace, b.Name); ours {
			x.Ours[b.Object()] = OurBinding{b, grant}
			if b.Kind == reconcile.ClusterRoleBinding {
				x.boundWide++
			}
			part := grant.Part
			grant.Part = 0
			x.parts[grant] = append(x.parts[grant], part)
			continue
		}
		if b.OwnerOf() == x.Inventory.Owner {
			x.misnamed = append(x.misnamed, b.Object())
		}
	}
	for _, numbers := range x.parts {
		slices.Sort(numbers)
	}
	slices.Sort(x.misnamed)
}

// Others lists the bindings that are not ours and name a subject.
func (x *Index) Others(s reconcile.Subject) []reconcile.Binding { return x.serves[s] }

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
	end := o.At.Add(reconcile.Retention) // Kubernetes' own signer gives a year at most, unless it is told otherwise
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
		n.Left, n.Ended = n.Left || left(rec), rec.State == reconcile.Removed && rec.Ended()
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

// left reports whether a record says that its user left, which the end of a time is not.
func left(rec *reconcile.Record) bool {
	return rec != nil && (rec.State == reconcile.Removed || rec.State == reconcile.Removing) && !rec.Ended()
}

// Known lists all users that the index, the ledger or the credentials know, those whom ClusterRoleBindings of ours serve, and
// those whose time has passed. RoleBindings tell nothing: tenants can make them for anybody.
func (x *Index) Known() []string {
	names := map[string]bool{}
	for name := range x.names {
		names[name] = true
	}
	for name := range x.Observed.Ledger {
		names[name] = true
	}
	for name := range x.Observed.Credentials {
		names[name] = true
	}
	for name := range x.Lapsed {
		names[name] = true
	}
	for _, b := range x.Ours {
		for _, s := range b.Subjects {
			if user := s.Person(); b.Kind == reconcile.ClusterRoleBinding && user != "" {
				names[user] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// Ended reports whether access that lasts until t is over.
func (x *Index) Ended(t time.Time) bool { return granted.Ended(t, x.Observed.At) }

// knows reports whether a user is, or was, one of this owner's.
func (x *Index) knows(user string) bool {
	_, recorded := x.Observed.Ledger[user]
	_, indexed := x.names[user]
	return recorded || indexed || x.Active[user] || x.Lapsed[user]
}

// living is the index's entry for a name under which a certificate may live.
func (x *Index) living(user string) (reconcile.Name, bool) {
	n, ok := x.names[user]
	return n, ok && n.Until.After(x.Observed.At)
}

// indexed reports whether the index has a name.
func (x *Index) indexed(user string) bool {
	_, indexed := x.names[user]
	return indexed
}

// outlived reports whether a certificate of somebody who left may live under a user's name. Only the index tells.
func (x *Index) outlived(user string) bool {
	n, living := x.living(user)
	return living && n.Left
}

// counts reports whether an edit that takes g from a user is a loss of theirs. To take a name of an earlier epoch out is none: the
// new name has the access.
func (x *Index) counts(g reconcile.Grant, e *edit) bool {
	name := e.user()
	return name != "" && reconcile.Authorized(e.subject) == x.subject(name) && x.explained(g, name)
}

// inherits reports whether somebody should have under the name that they have now what g gave to their old one. If not, it
// is a role that was taken away, for which no rename waits.
func (x *Index) inherits(old string, g reconcile.Grant) bool {
	now := x.successor[old]
	if g.Part = 0; g.For == reconcile.ForUser {
		g.Subject = now
	}
	return now != "" && wants(x, g, now)
}

// closed reports whether nobody can be added to a grant: its namespace is missing or terminating. People are taken out
// there all the same, since a finalizer can keep a namespace terminating, and what is bound in it granted, for good.
func (x *Index) closed(g reconcile.Grant) bool {
	return g.Namespace != "" && !x.Observed.Namespaces[g.Namespace]
}

// explained reports whether a user has g by certsync, so that guards count its loss. Guards do not count other subjects of our
// bindings: somebody else put them there, or an earlier run decided their end. Only administrators can write
// ClusterRoleBindings, so a user of this owner in one counts as well. Without grants, all of our ClusterRoleBindings count,
// and the users of this owner in RoleBindings.
func (x *Index) explained(g reconcile.Grant, user string) bool {
	if x.grants == nil {
		return g.Namespace == "" || x.knows(user)
	}
	return x.grants.Has(g, user) || g.Namespace == "" && x.knows(user)
}
