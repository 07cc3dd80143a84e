package reconcile

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/certsync/certsync/inventory"
)

// Diff compares what an inventory wants with what was observed. It is a function of its arguments alone: the time
// comes with what was observed, and the same inputs give the same bytes.
//
// Per user, credential says what a user in the inventory needs and leaver what is left of one who is not; per binding,
// grant compares subjects. Steps that a conflict, a guard or the policy forbids are in the plan with Held set, and the
// others are as they run while those are held: what a guard forbids is found in a first plan, and held in a second.
func Diff(inv *inventory.Inventory, o Observed, r Rules) Plan {
	d := newDiffer(inv, o, r)
	d.compare()
	if held, guards := d.guard(); held != nil {
		d = newDiffer(inv, o, r)
		d.holds = held
		d.compare()
		d.plan.guards = guards
	}
	d.notes()
	d.plan.refusals = d.refusals()
	d.plan.Unchanged = d.unchanged()
	d.plan.holdings = d.holdings()
	d.plan.sort()
	return d.plan
}

func (d *differ) compare() {
	for _, u := range d.inv.Users {
		d.credential(u)
	}
	for _, name := range d.known() {
		if !d.active[name] {
			d.leaver(name)
		}
	}
	d.bindings()
	d.waits()
	d.plan.sort()
}

// waits holds what the old name of somebody should lose who is held from a binding under the new one.
func (d *differ) waits() {
	lacking := map[string]bool{}
	for _, s := range d.plan.Steps {
		for _, u := range s.lacking() {
			lacking[u.Name] = lacking[u.Name] || s.Held != ""
		}
	}
	for i := range d.plan.Steps {
		s := &d.plan.Steps[i]
		var now string
		switch {
		case s.stage != stageRename:
		case s.leave != nil:
			now = s.leave.successor
		case s.binding != nil:
			now = s.binding.successor
		}
		if lacking[now] {
			s.hold(fmt.Sprintf("%s, who had this name before, has not all of the access yet", now), byWait)
		}
	}
}

// differ is the state of one Diff. What the observed world says by name is indexed once: a look-up a user must not
// walk all bindings.
type differ struct {
	inv   *inventory.Inventory
	o     Observed
	rules Rules
	holds *holds // nil: nothing is held yet
	plan  Plan

	active map[string]bool // users in the inventory whose access has not ended
	lapsed map[string]bool // users in the inventory whose `until` has passed
	users  map[string]inventory.User
	groups map[string]inventory.Group
	// successor has the name that somebody has now, by the one that they had before.
	successor map[string]string
	former    map[string]bool // names that people had before whose time has passed
	// wanted has who should be a subject of what: each grant (Part 0 stands for all its parts) and its users, sorted.
	wanted map[Grant][]string
	powers map[string][]string // why users are as good as cluster-admin by what is wanted

	ours       map[string]ourBinding // by Object()
	planted    map[string]Binding    // our name without our labels, by Object()
	plantedFor map[string]string     // one of planted, by whom it serves
	parts      map[Grant][]int       // numbers of the parts that exist, sorted, by the grant's first part
	// names has the users whom a ClusterRoleBinding of ours serves.
	names map[string]bool
	// serves has the bindings that are not ours by the User or Group whom they serve.
	serves map[Subject][]Binding

	// issues has the users who get a certificate in this run, with the first reason; stays those who hold a good
	// credential already; blocked those whom a conflict keeps from getting anything new.
	issues  map[string]Reason
	stays   map[string]bool
	blocked map[string]bool
	// noted has the notes that are there already: many steps lead to the same one.
	noted map[noteKey]bool
	// sameInventory: the last run had this very inventory, so whatever differs has drifted.
	sameInventory bool
}

// noteKey has the fields by which two notes are the same.
type noteKey struct {
	user, group     string
	kind            NoteKind
	object, message string
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

func newDiffer(inv *inventory.Inventory, o Observed, r Rules) *differ {
	d := &differ{
		inv: inv, o: o, rules: r,
		plan: Plan{
			Owner: inv.Owner, ClusterUID: o.ClusterView.UID, InventoryDigest: inv.Digest(),
			stateVersion: o.StateVersion, leased: o.Leased, endpoint: endpoint(inv.Cluster, o.Endpoint),
			frontProxy: o.FrontProxy, sharedCA: r.AcceptSharedCA,
		},
		active: map[string]bool{}, lapsed: map[string]bool{}, users: map[string]inventory.User{}, groups: map[string]inventory.Group{},
		successor: map[string]string{}, former: map[string]bool{},
		ours: map[string]ourBinding{}, planted: map[string]Binding{}, plantedFor: map[string]string{}, parts: map[Grant][]int{}, names: map[string]bool{},
		serves: map[Subject][]Binding{},
		noted:  map[noteKey]bool{}, issues: map[string]Reason{}, stays: map[string]bool{}, blocked: map[string]bool{},
	}
	if o.State != nil {
		d.plan.generation = o.State.Generation
		d.sameInventory = o.State.InventoryDigest == d.plan.InventoryDigest
	}
	d.plan.generation = max(d.plan.generation, o.Generation) // it only ever rises
	d.plan.recordState = !d.sameInventory || o.State.ClusterUID != o.ClusterView.UID
	for _, u := range inv.Users {
		d.users[u.Name] = u
		if d.ended(u.Until) {
			d.lapsed[u.Name] = true
			for _, old := range u.Previously {
				d.former[old] = true
			}
		} else {
			d.active[u.Name] = true
			for _, old := range u.Previously {
				d.successor[old] = u.Name
			}
		}
	}
	for _, g := range inv.Groups {
		d.groups[g.Name] = g
	}
	d.wanted = d.grants()
	d.powers = d.userPowers()
	d.index()
	return d
}

// index sorts the observed bindings by whose they are.
func (d *differ) index() {
	for _, b := range d.o.Bindings {
		ownership, grant := Classify(d.inv.Owner, b)
		adopt := ownership == Planted && d.rules.adopts(b.adoptName())
		if adopt {
			ownership = Ours
		}
		if ownership == Ours || ownership == Planted {
			first := grant
			first.Part = 1
			d.parts[first] = append(d.parts[first], grant.Part)
		}
		switch ownership {
		case Ours:
			d.ours[b.Object()] = ourBinding{b, grant, adopt}
			for _, s := range b.Subjects {
				// RoleBindings prove nothing: whoever is admin of a namespace can make one for any name.
				if b.Kind == ClusterRoleBinding && authorized(s) == UserSubject(s.Name) {
					d.names[s.Name] = true
				}
			}
			continue
		case Planted:
			d.planted[b.Object()] = b
			for _, s := range b.Subjects {
				if authorized(s) == UserSubject(s.Name) {
					d.plantedFor[s.Name] = b.Object()
				}
			}
		case Copied:
			d.note(Note{Kind: CopiedLabels, Object: b.Object(),
				Message: "carries certsync's labels for this owner under a name that certsync does not give; it is left alone"})
		}
		for _, s := range b.Subjects {
			if s = authorized(s); s.APIGroup == RBACGroup && !slices.ContainsFunc(d.serves[s], b.same) {
				d.serves[s] = append(d.serves[s], b)
			}
		}
	}
	for _, numbers := range d.parts {
		slices.Sort(numbers)
	}
}

// authorized is a subject as the API server's authorizer sees it, which ignores the namespace of Users and Groups.
func authorized(s Subject) Subject {
	if s.Kind == "User" || s.Kind == "Group" {
		s.Namespace = ""
	}
	return s
}

// same reports whether two bindings are one object.
func (b Binding) same(other Binding) bool { return b.Object() == other.Object() }

// known lists all users that the ledger, the credentials or a binding of ours name, and those whose time has passed.
func (d *differ) known() []string {
	names := maps.Clone(d.names)
	for name := range d.o.Ledger {
		names[name] = true
	}
	for name := range d.o.Credentials {
		names[name] = true
	}
	for name := range d.lapsed {
		names[name] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// ended reports whether access that lasts until t is over.
func (d *differ) ended(t time.Time) bool { return !t.IsZero() && !t.After(d.o.At) }

func (d *differ) note(n Note) {
	key := noteKey{n.User, n.Group, n.Kind, n.Object, n.Message}
	if !d.noted[key] {
		d.noted[key] = true
		d.plan.Notes = append(d.plan.Notes, n)
	}
}

func (d *differ) step(s Step) {
	s.Reason, s.Power = s.Reasons[0], d.power(s)
	s.hold(d.rules.Policy.holds(s.Action), byPolicy)
	if s.heldBy == byDenial {
		return // the denial is noted, and nothing to do about until somebody retries
	}
	d.plan.Steps = append(d.plan.Steps, s)
}

// unchanged counts the users of the inventory that no step is for.
func (d *differ) unchanged() int {
	touched := map[string]bool{}
	for _, s := range d.plan.Steps {
		touched[s.User] = true
		if s.Detail != nil && s.Group != "" {
			for _, u := range slices.Concat(s.Detail.Add, s.Detail.Remove) {
				touched[u] = true
			}
		}
	}
	n := 0
	for _, u := range d.inv.Users {
		if !touched[u.Name] {
			n++
		}
	}
	return n
}
