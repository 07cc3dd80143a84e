package plan

import (
	"fmt"
	"slices"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// Diff compares what an inventory wants with what was observed. It is a function of its arguments alone: the time
// comes with what was observed, and the same inputs give the same bytes.
//
// Per user, credential says what a user in the inventory needs and leaver what is left of one who is not; per binding,
// compareGrant compares subjects. Steps that a conflict, a guard or the policy forbids are in the plan with Held set, and the
// others are as they run while those are held: what a guard forbids is found in a first plan, and held in a second.
func Diff(inv *inventory.Inventory, o reconcile.Observed, r reconcile.Rules) reconcile.Plan {
	d := newDiffer(inv, o, r)
	d.compare()
	if held, guards := d.guard(); held != nil {
		d = newDiffer(inv, o, r)
		d.guarded = held
		d.compare()
		d.plan.Guards = guards
	}
	d.notes()
	d.plan.Forbidden = d.refusals()
	d.plan.Unchanged = d.unchanged()
	d.plan.Certificates = d.certificates()
	d.plan.Sort()
	return d.plan
}

func (d *differ) compare() {
	d.credentials()
	d.bindings()
	d.holdFormerNames()
	d.plan.Sort()
}

// Credentials says what everybody's credential needs, whatever their bindings: at most one step a user, and who holds a
// good one already.
func Credentials(inv *inventory.Inventory, o reconcile.Observed) (x *Index, steps map[string]reconcile.Step, stays map[string]bool) {
	d := newDiffer(inv, o, reconcile.Rules{})
	d.credentials()
	steps = map[string]reconcile.Step{}
	for _, s := range d.plan.Steps {
		steps[s.User] = s
	}
	return d.Index, steps, d.stays
}

func (d *differ) credentials() {
	for _, u := range d.Inventory.Users {
		d.credential(u)
	}
	for _, name := range d.Known() {
		if !d.Active[name] {
			d.leaver(name)
		}
	}
}

// holdFormerNames holds what the old name of somebody should lose who is held from a binding under the new one.
func (d *differ) holdFormerNames() {
	lacking := map[string]bool{}
	for _, s := range d.plan.Steps {
		for _, u := range s.Lacking() {
			lacking[u.Name] = lacking[u.Name] || s.Held != ""
		}
	}
	for i := range d.plan.Steps {
		s := &d.plan.Steps[i]
		var now string
		switch {
		case s.Stage != reconcile.StageRename:
		case s.Leave != nil:
			now = s.Leave.Successor
		case s.Binding != nil:
			now = s.Binding.Successor
		}
		if lacking[now] {
			s.Hold(fmt.Sprintf("%s, who had this name before, has not all of the access yet", now), reconcile.ByWait)
		}
	}
}

// differ is the state of one Diff.
type differ struct {
	*Index
	guarded *guarded // nil: nothing is held yet
	plan    reconcile.Plan

	powers map[string][]string // why users are as good as cluster-admin by what is wanted
	// issues has the users who get a certificate in this run, with the first reason; stays those who hold a good
	// credential already; blocked those whom a conflict keeps from getting anything new.
	issues  map[string]reconcile.Reason
	stays   map[string]bool
	blocked map[string]bool
	// noted has the notes that are there already: many steps lead to the same one.
	noted map[noteKey]bool
}

// noteKey has the fields by which two notes are the same.
type noteKey struct {
	user, group     string
	kind            reconcile.NoteKind
	object, message string
}

func newDiffer(inv *inventory.Inventory, o reconcile.Observed, r reconcile.Rules) *differ {
	d := &differ{
		Index: NewIndex(inv, o, r),
		plan: reconcile.Plan{
			Owner: inv.Owner, ClusterUID: o.ClusterView.UID, InventoryDigest: inv.Digest(),
			StateVersion: o.StateVersion, Leased: o.Leased, Endpoint: reconcile.EndpointOf(inv.Cluster, o.Endpoint),
			FrontProxy: o.FrontProxy, SharedCA: r.AcceptSharedCA,
		},
		noted: map[noteKey]bool{}, issues: map[string]reconcile.Reason{}, stays: map[string]bool{}, blocked: map[string]bool{},
	}
	if o.State != nil {
		d.plan.Generation = o.State.Generation
	}
	d.plan.Generation = max(d.plan.Generation, o.Generation) // it only ever rises
	d.plan.RecordState = !d.sameInventory || o.State.ClusterUID != o.ClusterView.UID
	d.powers = d.userPowers()
	for _, object := range d.copied {
		d.note(reconcile.Note{Kind: reconcile.CopiedLabels, Object: object,
			Message: "carries certsync's labels for this owner under a name that certsync does not give; it is left alone"})
	}
	return d
}

func (d *differ) note(n reconcile.Note) {
	key := noteKey{n.User, n.Group, n.Kind, n.Object, n.Message}
	if !d.noted[key] {
		d.noted[key] = true
		d.plan.Notes = append(d.plan.Notes, n)
	}
}

func (d *differ) step(s reconcile.Step) {
	s.Reason, s.Power = s.Reasons[0], d.power(s)
	s.Hold(d.rules.Policy.Forbids(s.Action), reconcile.ByPolicy)
	if s.HeldBy == reconcile.ByDenial {
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
	for _, u := range d.Inventory.Users {
		if !touched[u.Name] {
			n++
		}
	}
	return n
}
