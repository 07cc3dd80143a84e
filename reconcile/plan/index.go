package plan

import (
	"maps"
	"slices"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// Index has what an inventory wants and what was observed, by name. The observed world is sorted once: a look-up for one
// user must not walk all bindings.
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
	// Wanted has who should be a subject of what: each grant (Part 0 stands for all its parts) and its users, sorted.
	Wanted map[reconcile.Grant][]string
	// sameInventory: the last run had this very inventory, so whatever differs has drifted.
	sameInventory bool

	Ours       map[string]OurBinding        // by Object()
	Planted    map[string]reconcile.Binding // our name without our labels, by Object()
	plantedFor map[string]string            // one of planted, by whom it serves
	copied     []string                     // our labels under a name that certsync does not give, by Object()
	parts      map[reconcile.Grant][]int    // numbers of the parts that exist, sorted, by the grant's first part
	// names has the users whom a ClusterRoleBinding of ours serves.
	names map[string]bool
	// serves has the bindings that are not ours by the User or Group whom they serve.
	serves map[reconcile.Subject][]reconcile.Binding
}

// OurBinding is a binding of this owner, by its name and its labels.
type OurBinding struct {
	reconcile.Binding
	Grant reconcile.Grant
	adopt bool // it was planted, and somebody says that it is to be ours
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
		Ours: map[string]OurBinding{}, Planted: map[string]reconcile.Binding{}, plantedFor: map[string]string{}, parts: map[reconcile.Grant][]int{}, names: map[string]bool{},
		serves:        map[reconcile.Subject][]reconcile.Binding{},
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
	x.Wanted = x.wantedGrants()
	x.sortBindings()
	return x
}

// sortBindings sorts the observed bindings by whose they are.
func (x *Index) sortBindings() {
	for _, b := range x.Observed.Bindings {
		ownership, grant := reconcile.Classify(x.Inventory.Owner, b)
		adopt := ownership == reconcile.Planted && x.rules.Adopts(b.AdoptName())
		if adopt {
			ownership = reconcile.Ours
		}
		if ownership == reconcile.Ours || ownership == reconcile.Planted {
			first := grant
			first.Part = 1
			x.parts[first] = append(x.parts[first], grant.Part)
		}
		switch ownership {
		case reconcile.Ours:
			x.Ours[b.Object()] = OurBinding{b, grant, adopt}
			for _, s := range b.Subjects {
				// RoleBindings prove nothing: whoever is admin of a namespace can make one for any name.
				if b.Kind == reconcile.ClusterRoleBinding && reconcile.Authorized(s) == reconcile.UserSubject(s.Name) {
					x.names[s.Name] = true
				}
			}
			continue
		case reconcile.Planted:
			x.Planted[b.Object()] = b
			for _, s := range b.Subjects {
				if reconcile.Authorized(s) == reconcile.UserSubject(s.Name) {
					x.plantedFor[s.Name] = b.Object()
				}
			}
		case reconcile.Copied:
			x.copied = append(x.copied, b.Object())
		}
		for _, s := range b.Subjects {
			if s = reconcile.Authorized(s); s.APIGroup == reconcile.RBACGroup && !slices.ContainsFunc(x.serves[s], b.Same) {
				x.serves[s] = append(x.serves[s], b)
			}
		}
	}
	for _, numbers := range x.parts {
		slices.Sort(numbers)
	}
}

// Known lists all users that the ledger, the credentials or a binding of ours name, and those whose time has passed.
func (x *Index) Known() []string {
	names := maps.Clone(x.names)
	for name := range x.Observed.Ledger {
		names[name] = true
	}
	for name := range x.Observed.Credentials {
		names[name] = true
	}
	for name := range x.Lapsed {
		names[name] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// Ended reports whether access that lasts until t is over.
func (x *Index) Ended(t time.Time) bool { return !t.IsZero() && !t.After(x.Observed.At) }
