package plan

import (
	"fmt"
	"maps"
	"slices"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/inventory/shell"
	"github.com/certsync/certsync/reconcile"
)

// write turns a part into steps: at most one before the certificates are issued and one after.
func (d *differ) write(p *part) {
	exists := p.observed != nil
	swaps := d.swaps(p)
	first := slices.Concat(p.stay, p.stuck, reconcile.UserSubjects(p.now), reconcile.UserSubjects(swapped(swaps)))
	switch {
	case len(p.extra)+len(p.now) == 0 && !(exists && (p.observed.adopt || p.anew) && len(first) > 0):
		if exists && len(first)+len(p.later) == 0 {
			// Somebody emptied it, and whom it was for is blocked.
			d.unbind(*p.observed, reconcile.Drifted, reconcile.StageRetire)
		}
	case len(first) > 0:
		d.change(p, exists, first, reconcile.StageChange, reconcile.Detail{Add: p.now, Remove: reconcile.SubjectNames(p.extra)}, nil)
		exists = true
	case exists:
		// No binding is kept without subjects: those who come later find none and make it anew.
		d.unbind(*p.observed, d.changeReason(p, p.extra), reconcile.StageRetire)
		exists = false
	}
	if len(p.later) > 0 {
		last := slices.Concat(p.stay, p.stuck, reconcile.UserSubjects(p.now), reconcile.UserSubjects(p.later))
		d.change(p, exists, last, reconcile.StageGrant, reconcile.Detail{Add: p.later, Remove: swapped(swaps)}, swaps)
	}
}

// swaps takes those subjects out of p.extra whose person comes later under another name: one write exchanges the names,
// and leaves the old one where it is if the new one has no credential by then.
func (d *differ) swaps(p *part) map[string][]string {
	swaps := map[string][]string{}
	p.extra = slices.DeleteFunc(p.extra, func(s reconcile.Subject) bool {
		now := d.successor[s.Name]
		if s != reconcile.UserSubject(s.Name) || now == "" || !slices.Contains(p.later, now) {
			return false
		}
		swaps[now] = append(swaps[now], s.Name)
		return true
	})
	return swaps
}

// swapped lists the old names, sorted.
func swapped(swaps map[string][]string) []string {
	return reconcile.SortedSet(slices.Concat(slices.Collect(maps.Values(swaps))...))
}

// change plans one write of a binding: bind if it doesn't exist by then, else update. One in the last of the two waits
// for the users that it adds.
func (d *differ) change(p *part, exists bool, subjects []reconcile.Subject, at reconcile.Stage, detail reconcile.Detail, swaps map[string][]string) {
	s := reconcile.Step{Action: reconcile.Update, Object: p.object(), Reasons: []reconcile.Reason{d.changeReason(p, p.extra)}, Stage: at}
	// For a binding that this run makes first, the executor knows what came of that.
	s.Binding = &reconcile.BindingWrite{Object: reconcile.NewBinding(p.owner, p.grant, nil), Subjects: subjects, Swaps: swaps}
	if at == reconcile.StageGrant {
		s.Binding.WaitsFor = p.later
	}
	if !exists {
		s.Action = reconcile.Bind
	} else if p.observed != nil {
		s.Binding.Object, s.Binding.Adopt, s.Binding.Anew = p.observed.Binding, p.observed.adopt, p.anew
		if p.observed.adopt {
			s.Reasons = []reconcile.Reason{reconcile.Adopted}
		}
	}
	if p.grant.For == reconcile.ForGroup || s.Action == reconcile.Update {
		s.Detail = &detail
	}
	if p.observed == nil {
		s.Hold(p.occupied.Held, p.occupied.HeldBy)
	}
	d.step(s.ForGrant(p.grant))
}

// anew reports whether a wanted binding that was deleted, and that a finalizer keeps, is made again. It is not where nothing
// can be created or deleted, nor where it may give apply its own rights: there it is noted.
func (d *differ) anew(b OurBinding) bool {
	if !b.Terminating {
		return false
	}
	if d.rules.Policy.Takes() && !d.closed(b.Grant) && !slices.Contains(b.Subjects, reconcile.UserSubject(d.rules.Self)) {
		return true
	}
	d.note(reconcile.Note{Kind: reconcile.Terminating, Object: b.Object(), Message: "was deleted, and a finalizer keeps it; it still grants its role"})
	return false
}

// changeReason says why a wanted binding is not as it should be. Under the inventory of the last run, and for subjects
// that no inventory of ours has put there, it has drifted.
func (d *differ) changeReason(p *part, extra []reconcile.Subject) reconcile.Reason {
	changed := reconcile.RolesChanged
	if p.anew && len(extra)+len(p.now)+len(p.later) == 0 {
		return reconcile.Drifted
	}
	if p.grant.For == reconcile.ForGroup && p.observed != nil {
		changed = reconcile.MembersChanged
	} else if r, ok := d.issues[p.grant.Subject]; ok && (r == reconcile.NewUser || r == reconcile.Renamed) && p.grant.For == reconcile.ForUser {
		return r
	}
	for _, s := range extra {
		if s != reconcile.UserSubject(s.Name) || !d.knows(s.Name) {
			return reconcile.Drifted
		}
	}
	if !d.sameInventory || p.grant.For == reconcile.ForGroup && p.lacksOnlyLater() {
		return changed
	}
	return reconcile.Drifted
}

// knows reports whether a user is in the inventory or the ledger.
func (d *differ) knows(user string) bool {
	_, recorded := d.Observed.Ledger[user]
	return recorded || d.Active[user] || d.Lapsed[user]
}

// lacksOnlyLater reports whether all that a part lacks are users whose certificate comes in this run, or whose issue was cut
// off before their bindings.
func (p *part) lacksOnlyLater() bool {
	return len(p.now) == 0 && len(p.extra) == 0 && len(p.later) > 0
}

// unbind ends a binding of ours at a stage (those of people who left go first in any case), and returns the step: when
// somebody in it must not lose it, that is held.
func (d *differ) unbind(b OurBinding, reason reconcile.Reason, at reconcile.Stage) reconcile.Step {
	s := reconcile.Step{
		Action: reconcile.Unbind, Object: b.Object(), Reasons: []reconcile.Reason{reason}, Stage: at,
		Binding: &reconcile.BindingWrite{Object: b.Binding},
	}.ForGrant(b.Grant)
	if b.Grant.For == reconcile.ForGroup && len(b.Subjects) > 0 {
		s.Detail = &reconcile.Detail{Remove: reconcile.SubjectNames(b.Subjects)}
	} else if b.Grant.For == reconcile.ForUser && !d.Active[s.User] {
		s.Stage = reconcile.StageUnbind
	}
	if now := d.successor[s.User]; now != "" && b.rightRole() && d.inherits(s.User, b.Grant) {
		s.Stage, s.Binding.Successor = reconcile.StageRename, now
	}
	s.Hold(d.rules.Policy.Forbids(reconcile.Unbind), reconcile.ByPolicy)
	if stay, why, by := d.mustStay(b); len(stay) == len(b.Subjects) {
		s.Hold(why, by)
	} else if len(stay) > 0 {
		d.narrow(b, stay, s)
		return reconcile.Step{Held: why, HeldBy: by}
	}
	d.step(s)
	return s
}

// mustStay lists the subjects that must not be taken out of a binding, and why the first of them must not. Nobody must
// keep what they have by a binding to another role than its name says.
func (d *differ) mustStay(b OurBinding) (stay []reconcile.Subject, why string, by reconcile.HoldCause) {
	for _, s := range b.Subjects {
		if because, holder := d.stuckIn(b.Object(), s); because != "" && (b.rightRole() || holder == reconcile.ByPolicy) {
			if stay = append(stay, s); why == "" {
				why, by = because, holder
			}
		}
	}
	return stay, why, by
}

// narrow takes the place of an unbind that some of the binding's subjects must not lose: the others do.
func (d *differ) narrow(b OurBinding, stay []reconcile.Subject, unbind reconcile.Step) {
	for _, s := range stay {
		why, by := d.stuckIn(b.Object(), s)
		d.holdSubject(&b, s, why, by)
	}
	gone := slices.DeleteFunc(slices.Clone(b.Subjects), func(s reconcile.Subject) bool { return slices.Contains(stay, s) })
	unbind.Action, unbind.Detail = reconcile.Update, &reconcile.Detail{Remove: reconcile.SubjectNames(gone)}
	unbind.Binding.Subjects, unbind.Binding.Successor, unbind.Stage = stay, "", reconcile.StageChange
	d.step(unbind)
}

// unwanted says why no grant wants a binding of ours.
func (d *differ) unwanted(g reconcile.Grant) reconcile.Reason {
	grant, granted := d.InventoryGrant(g)
	switch {
	case g.For == reconcile.ForUser && d.successor[g.Subject] != "":
		return reconcile.Renamed
	case g.For == reconcile.ForUser && (d.Lapsed[g.Subject] || d.former[g.Subject]), granted && d.Ended(grant.Until):
		return reconcile.UntilPassed
	case g.For == reconcile.ForUser && !d.Active[g.Subject], g.For == reconcile.ForGroup && d.Groups[g.Subject].Name == "":
		return reconcile.NotInInventory
	case granted:
		return reconcile.MembersChanged // nobody is in the group any more
	case d.sameInventory:
		return reconcile.Drifted
	}
	return reconcile.RolesChanged
}

// InventoryGrant finds what the inventory says of a grant, whether or not it has ended.
func (x *Index) InventoryGrant(g reconcile.Grant) (inventory.Grant, bool) {
	cluster, namespaces := x.Groups[g.Subject].ClusterRoles, x.Groups[g.Subject].Namespaces
	if g.For == reconcile.ForUser {
		cluster, namespaces = x.Users[g.Subject].ClusterRoles, x.Users[g.Subject].Namespaces
	}
	if g.Namespace != "" {
		cluster = namespaces[g.Namespace]
	}
	i := slices.IndexFunc(cluster, func(r inventory.Grant) bool { return r.ClusterRole == g.Role })
	if i < 0 {
		return inventory.Grant{}, false
	}
	return cluster[i], true
}

// conflict holds a step on a binding that has our name and not our labels, and that should serve users.
func (d *differ) conflict(b reconcile.Binding, action reconcile.Action, wanted []string) {
	_, g := reconcile.Classify(d.Inventory.Owner, b)
	s := reconcile.Step{
		Action: action, Object: b.Object(), Reasons: []reconcile.Reason{reconcile.LabelsMissing}, Stage: reconcile.StageChange,
		Binding: &reconcile.BindingWrite{Object: b, Subjects: reconcile.UserSubjects(wanted)},
	}
	s.Hold(fmt.Sprintf("it has certsync's name but not its labels: somebody made it, or took the labels off (look at it, then delete it, or take it over: --adopt %s)",
		shell.Quote(b.AdoptName())), reconcile.ByConflict)
	d.step(s.ForGrant(g))
}
