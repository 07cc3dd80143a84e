package plan

import (
	"cmp"
	"maps"
	"slices"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/granted"
	"github.com/certsync/certsync/reconcile/plan/index"
)

// Diff compares what an inventory wants with what was observed. It is a function of its arguments alone: the time
// comes with what was observed, and the same inputs give the same bytes.
//
// It makes a draft: per user a verdict, by user and leaver, and per binding what comes and goes, by allParts. Filters then hold
// what the policy and the guards forbid, drag holds what cannot be done without that, and the steps are made of the rest.
func Diff(inv *inventory.Inventory, o reconcile.Observed, r reconcile.Rules) reconcile.Plan {
	x := index.New(inv, o, r)
	p, crowded := diff(x)
	if crowded && !x.Frozen && granted.Selects(inv) {
		// Whoever makes namespaces with a label must not keep removals from being done.
		p, _ = diff(index.Freeze(inv, o, r))
	}
	return p
}

// diff makes the plan of an index. crowded: the plan changes something, and its state leaves no room for removals.
func diff(x *index.Index) (p reconcile.Plan, crowded bool) {
	inv, o, r := x.File, x.Observed, x.Rules
	d := &draft{x: x, verdicts: verdicts(x)}
	d.given, d.gone = givenGrants(x)
	parts, notes := allParts(x, d.verdicts)
	d.parts = parts
	guards := d.hold()
	drag(d)
	d.batches = d.inBatches()
	p = reconcile.Plan{
		Owner: inv.Owner, ClusterUID: o.ClusterView.UID, InventoryDigest: inv.Digest(),
		Steps: d.steps(), Guards: guards,
		State: nextState(x, d), StateVersion: o.StateVersion, Leased: o.Leased,
		Endpoint: x.Endpoint, FrontProxy: o.FrontProxy, SharedCA: r.AcceptSharedCA,
		Certificates: certificates(x),
	}
	p.Revoked = staysRevoked(x, p.State)
	if s := o.State; s != nil {
		p.Moves = s.ClusterUID != o.ClusterView.UID
	}
	p.RecordState = !x.SameInventory || p.Moves || x.Grants == nil || x.Begins()
	crowded = p.Changes() && !makeRoom(&p.State)
	p.Forbidden = refusals(x, p, crowded)
	p.Unchanged = unchanged(x, p.Steps)
	for name := range d.verdicts {
		notes = append(notes, d.verdicts[name].notes...)
	}
	p.Notes = distinct(append(notes, notesOn(x, d, p)...))
	p.Sort()
	return p, crowded
}

// verdicts decides on everybody whom the inventory, the index, the ledger, Vault or a ClusterRoleBinding of ours names.
func verdicts(x *index.Index) map[string]verdict {
	all := map[string]verdict{}
	for _, u := range x.Inventory.Users {
		all[u.Name] = user(x, u)
	}
	for _, name := range x.Known() {
		if !x.Active[name] {
			all[name] = leaver(x, name)
		}
	}
	return all
}

// Credentials says what everybody's credential needs, whatever their bindings: at most one step a user, and who holds a
// good one already. Of the rules, only those on certsync's own namespaces matter.
func Credentials(inv *inventory.Inventory, o reconcile.Observed, r reconcile.Rules) (x *index.Index, steps map[string]reconcile.Step, stays map[string]bool) {
	x = index.New(inv, o, r)
	steps, stays = map[string]reconcile.Step{}, map[string]bool{}
	for name, v := range verdicts(x) {
		stays[name] = v.stays
		if v.step != nil {
			v.step.Reason = v.step.Reasons[0]
			steps[name] = *v.step
		}
	}
	return x, steps, stays
}

// steps makes the steps of a draft, in the order of the run.
func (d *draft) steps() []reconcile.Step {
	all := unprotected(d.x)
	for _, v := range d.verdicts {
		if v.step != nil {
			s := *v.step
			s.Batch = d.batches[s.User]
			all = append(all, s)
		}
	}
	a := assembler{d.x, d.verdicts, d.batches}
	for _, p := range d.parts {
		all = append(all, a.steps(p)...)
	}
	powers := userPowers(d.x)
	for i := range all {
		s := &all[i]
		s.Reason = s.Reasons[0]
		s.Power = power(d.x, powers, *s)
		s.Why = whyOf(d.x, *s)
		s.Hold(d.x.Rules.Policy.Forbids(s.Action), reconcile.ByPolicy)
	}
	return all
}

// unchanged counts the users of the inventory that no step is for.
func unchanged(x *index.Index, steps []reconcile.Step) int {
	touched := map[string]bool{}
	for _, s := range steps {
		touched[s.User] = true
		if s.Detail != nil && s.Group != "" {
			for _, u := range slices.Concat(s.Detail.Add, s.Detail.Remove) {
				user, _ := reconcile.Person(u)
				touched[user] = true
			}
		}
	}
	n := 0
	for _, u := range x.Inventory.Users {
		if !touched[u.Name] {
			n++
		}
	}
	return n
}

// certificates counts everybody's certificates before the run.
func certificates(x *index.Index) map[string]reconcile.UserCertificates {
	all := map[string]reconcile.UserCertificates{}
	for name := range x.Active {
		all[name] = reconcile.UserCertificates{}
	}
	for name, entry := range x.Observed.Ledger {
		if entry.Record == nil {
			continue
		}
		h := reconcile.UserCertificates{Leaver: !x.Active[name]}
		if c := entry.Record.Current(); c != nil && entry.Record.State == reconcile.Active {
			h.Expires = c.NotAfter
		}
		for _, c := range entry.Record.Certificates {
			if c.NotAfter.After(x.Observed.At) {
				h.Live++
			}
		}
		all[name] = h
	}
	return all
}

// distinct leaves out notes that are there already: many steps lead to the same one.
func distinct(notes []reconcile.Note) []reconcile.Note {
	type key struct {
		user, group     string
		kind            reconcile.NoteKind
		object, message string
	}
	seen := map[key]reconcile.Note{}
	for _, n := range notes {
		k := key{n.User, n.Group, n.Kind, n.Object, n.Message}
		if was, ok := seen[k]; !ok || n.Until != nil && was.Until != nil && cmp.Compare(n.Until.Unix(), was.Until.Unix()) > 0 {
			seen[k] = n
		}
	}
	return slices.Collect(maps.Values(seen))
}
