package reconcile

import (
	"maps"
	"slices"
	"time"

	"github.com/certsync/certsync/inventory"
)

// index has what an inventory wants and what was observed, by name. The observed world is sorted once: a look-up for one
// user must not walk all bindings.
type index struct {
	inv   *inventory.Inventory
	o     Observed
	rules Rules

	active map[string]bool // users in the inventory whose access has not ended
	lapsed map[string]bool // users in the inventory whose `until` has passed
	users  map[string]inventory.User
	groups map[string]inventory.Group
	// successor has the name that somebody has now, by the one that they had before.
	successor map[string]string
	former    map[string]bool // names that people had before whose time has passed
	// wanted has who should be a subject of what: each grant (Part 0 stands for all its parts) and its users, sorted.
	wanted map[Grant][]string
	// sameInventory: the last run had this very inventory, so whatever differs has drifted.
	sameInventory bool

	ours       map[string]ourBinding // by Object()
	planted    map[string]Binding    // our name without our labels, by Object()
	plantedFor map[string]string     // one of planted, by whom it serves
	copied     []string              // our labels under a name that certsync does not give, by Object()
	parts      map[Grant][]int       // numbers of the parts that exist, sorted, by the grant's first part
	// names has the users whom a ClusterRoleBinding of ours serves.
	names map[string]bool
	// serves has the bindings that are not ours by the User or Group whom they serve.
	serves map[Subject][]Binding
}

type ourBinding struct {
	Binding
	grant Grant
	adopt bool // it was planted, and somebody says that it is to be ours
}

// rightRole reports whether a binding grants what its name says.
func (b ourBinding) rightRole() bool {
	return b.RoleRef == RoleRef{Kind: "ClusterRole", Name: b.grant.Role}
}

// newIndex sorts an inventory and what was observed.
func newIndex(inv *inventory.Inventory, o Observed, r Rules) *index {
	x := &index{
		inv: inv, o: o, rules: r,
		active: map[string]bool{}, lapsed: map[string]bool{}, users: map[string]inventory.User{}, groups: map[string]inventory.Group{},
		successor: map[string]string{}, former: map[string]bool{},
		ours: map[string]ourBinding{}, planted: map[string]Binding{}, plantedFor: map[string]string{}, parts: map[Grant][]int{}, names: map[string]bool{},
		serves:        map[Subject][]Binding{},
		sameInventory: o.State != nil && o.State.InventoryDigest == inv.Digest(),
	}
	for _, u := range inv.Users {
		x.users[u.Name] = u
		if x.ended(u.Until) {
			x.lapsed[u.Name] = true
			for _, old := range u.Previously {
				x.former[old] = true
			}
		} else {
			x.active[u.Name] = true
			for _, old := range u.Previously {
				x.successor[old] = u.Name
			}
		}
	}
	for _, g := range inv.Groups {
		x.groups[g.Name] = g
	}
	x.wanted = x.grants()
	x.sortBindings()
	return x
}

// sortBindings sorts the observed bindings by whose they are.
func (x *index) sortBindings() {
	for _, b := range x.o.Bindings {
		ownership, grant := Classify(x.inv.Owner, b)
		adopt := ownership == Planted && x.rules.adopts(b.adoptName())
		if adopt {
			ownership = Ours
		}
		if ownership == Ours || ownership == Planted {
			first := grant
			first.Part = 1
			x.parts[first] = append(x.parts[first], grant.Part)
		}
		switch ownership {
		case Ours:
			x.ours[b.Object()] = ourBinding{b, grant, adopt}
			for _, s := range b.Subjects {
				// RoleBindings prove nothing: whoever is admin of a namespace can make one for any name.
				if b.Kind == ClusterRoleBinding && authorized(s) == UserSubject(s.Name) {
					x.names[s.Name] = true
				}
			}
			continue
		case Planted:
			x.planted[b.Object()] = b
			for _, s := range b.Subjects {
				if authorized(s) == UserSubject(s.Name) {
					x.plantedFor[s.Name] = b.Object()
				}
			}
		case Copied:
			x.copied = append(x.copied, b.Object())
		}
		for _, s := range b.Subjects {
			if s = authorized(s); s.APIGroup == RBACGroup && !slices.ContainsFunc(x.serves[s], b.same) {
				x.serves[s] = append(x.serves[s], b)
			}
		}
	}
	for _, numbers := range x.parts {
		slices.Sort(numbers)
	}
}

// known lists all users that the ledger, the credentials or a binding of ours name, and those whose time has passex.
func (x *index) known() []string {
	names := maps.Clone(x.names)
	for name := range x.o.Ledger {
		names[name] = true
	}
	for name := range x.o.Credentials {
		names[name] = true
	}
	for name := range x.lapsed {
		names[name] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// ended reports whether access that lasts until t is over.
func (x *index) ended(t time.Time) bool { return !t.IsZero() && !t.After(x.o.At) }
