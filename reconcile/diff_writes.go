package reconcile

import (
	"fmt"
	"maps"
	"slices"

	"github.com/certsync/certsync/inventory"
)

// write turns a part into steps: at most one before the certificates are issued and one after.
func (d *differ) write(p *part) {
	exists := p.observed != nil
	swaps := d.swaps(p)
	first := slices.Concat(p.stay, p.stuck, users(p.now), users(swapped(swaps)))
	switch {
	case len(p.extra)+len(p.now) == 0 && !(exists && (p.observed.adopt || p.anew) && len(first) > 0):
		if exists && len(first)+len(p.later) == 0 {
			// Somebody emptied it, and whom it was for is blocked.
			d.unbind(*p.observed, Drifted, stageRetire)
		}
	case len(first) > 0:
		d.change(p, exists, first, stageChange, Detail{Add: p.now, Remove: names(p.extra)}, nil)
		exists = true
	case exists:
		// No binding is kept without subjects: those who come later find none and make it anew.
		d.unbind(*p.observed, d.changeReason(p, p.extra), stageRetire)
		exists = false
	}
	if len(p.later) > 0 {
		last := slices.Concat(p.stay, p.stuck, users(p.now), users(p.later))
		d.change(p, exists, last, stageGrant, Detail{Add: p.later, Remove: swapped(swaps)}, swaps)
	}
}

// swaps takes those subjects out of p.extra whose person comes later under another name: one write exchanges the names,
// and leaves the old one where it is if the new one has no credential by then.
func (d *differ) swaps(p *part) map[string][]string {
	swaps := map[string][]string{}
	p.extra = slices.DeleteFunc(p.extra, func(s Subject) bool {
		now := d.successor[s.Name]
		if s != UserSubject(s.Name) || now == "" || !slices.Contains(p.later, now) {
			return false
		}
		swaps[now] = append(swaps[now], s.Name)
		return true
	})
	return swaps
}

// swapped lists the old names, sorted.
func swapped(swaps map[string][]string) []string {
	return sortedSet(slices.Concat(slices.Collect(maps.Values(swaps))...))
}

// change plans one write of a binding: bind if it doesn't exist by then, else update. One in the last of the two waits
// for the users that it adds.
func (d *differ) change(p *part, exists bool, subjects []Subject, at stage, detail Detail, swaps map[string][]string) {
	s := Step{Action: Update, Object: p.object(), Reasons: []Reason{d.changeReason(p, p.extra)}, stage: at}
	// For a binding that this run makes first, the executor knows what came of that.
	s.binding = &bindingWrite{object: newBinding(p.owner, p.grant, nil), subjects: subjects, swaps: swaps}
	if at == stageGrant {
		s.binding.waitsFor = p.later
	}
	if !exists {
		s.Action = Bind
	} else if p.observed != nil {
		s.binding.object, s.binding.adopt, s.binding.anew = p.observed.Binding, p.observed.adopt, p.anew
		if p.observed.adopt {
			s.Reasons = []Reason{Adopted}
		}
	}
	if p.grant.For == ForGroup || s.Action == Update {
		s.Detail = &detail
	}
	if p.observed == nil {
		s.hold(p.occupied.Held, p.occupied.heldBy)
	}
	d.step(s.of(p.grant))
}

// anew reports whether a wanted binding that was deleted, and that a finalizer keeps, is made again. It is not where nothing
// can be created or deleted, nor where it may give apply its own rights: there it is noted.
func (d *differ) anew(b ourBinding) bool {
	if !b.Terminating {
		return false
	}
	if d.rules.Policy.takes() && !d.closed(b.grant) && !slices.Contains(b.Subjects, UserSubject(d.rules.Self)) {
		return true
	}
	d.note(Note{Kind: Terminating, Object: b.Object(), Message: "was deleted, and a finalizer keeps it; it still grants its role"})
	return false
}

// changeReason says why a wanted binding is not as it should be. Under the inventory of the last run, and for subjects
// that no inventory of ours has put there, it has drifted.
func (d *differ) changeReason(p *part, extra []Subject) Reason {
	changed := RolesChanged
	if p.anew && len(extra)+len(p.now)+len(p.later) == 0 {
		return Drifted
	}
	if p.grant.For == ForGroup && p.observed != nil {
		changed = MembersChanged
	} else if r, ok := d.issues[p.grant.Subject]; ok && (r == NewUser || r == Renamed) && p.grant.For == ForUser {
		return r
	}
	for _, s := range extra {
		if s != UserSubject(s.Name) || !d.knows(s.Name) {
			return Drifted
		}
	}
	if !d.sameInventory || p.grant.For == ForGroup && p.waits() {
		return changed
	}
	return Drifted
}

// knows reports whether a user is in the inventory or the ledger.
func (d *differ) knows(user string) bool {
	_, recorded := d.o.Ledger[user]
	return recorded || d.active[user] || d.lapsed[user]
}

// waits reports whether all that a part lacks are users whose certificate comes in this run, or whose issue was cut
// off before their bindings.
func (p *part) waits() bool {
	return len(p.now) == 0 && len(p.extra) == 0 && len(p.later) > 0
}

// unbind ends a binding of ours at a stage (those of people who left go first in any case), and returns the step: when
// somebody in it must not lose it, that is held.
func (d *differ) unbind(b ourBinding, reason Reason, at stage) Step {
	s := Step{
		Action: Unbind, Object: b.Object(), Reasons: []Reason{reason}, stage: at,
		binding: &bindingWrite{object: b.Binding},
	}.of(b.grant)
	if b.grant.For == ForGroup && len(b.Subjects) > 0 {
		s.Detail = &Detail{Remove: names(b.Subjects)}
	} else if b.grant.For == ForUser && !d.active[s.User] {
		s.stage = stageUnbind
	}
	if now := d.successor[s.User]; now != "" && b.rightRole() && d.inherits(s.User, b.grant) {
		s.stage, s.binding.successor = stageRename, now
	}
	s.hold(d.rules.Policy.holds(Unbind), byPolicy)
	if stay, why, by := d.mustStay(b); len(stay) == len(b.Subjects) {
		s.hold(why, by)
	} else if len(stay) > 0 {
		d.narrow(b, stay, s)
		return Step{Held: why, heldBy: by}
	}
	d.step(s)
	return s
}

// mustStay lists the subjects that must not be taken out of a binding, and why the first of them must not. Nobody must
// keep what they have by a binding to another role than its name says.
func (d *differ) mustStay(b ourBinding) (stay []Subject, why string, by hold) {
	for _, s := range b.Subjects {
		if because, holder := d.stuckIn(b.Object(), s); because != "" && (b.rightRole() || holder == byPolicy) {
			if stay = append(stay, s); why == "" {
				why, by = because, holder
			}
		}
	}
	return stay, why, by
}

// narrow takes the place of an unbind that some of the binding's subjects must not lose: the others do.
func (d *differ) narrow(b ourBinding, stay []Subject, unbind Step) {
	for _, s := range stay {
		why, by := d.stuckIn(b.Object(), s)
		d.holdSubject(&b, s, why, by)
	}
	gone := slices.DeleteFunc(slices.Clone(b.Subjects), func(s Subject) bool { return slices.Contains(stay, s) })
	unbind.Action, unbind.Detail = Update, &Detail{Remove: names(gone)}
	unbind.binding.subjects, unbind.binding.successor, unbind.stage = stay, "", stageChange
	d.step(unbind)
}

// unwanted says why no grant wants a binding of ours.
func (d *differ) unwanted(g Grant) Reason {
	grant, granted := d.granted(g)
	switch {
	case g.For == ForUser && d.successor[g.Subject] != "":
		return Renamed
	case g.For == ForUser && (d.lapsed[g.Subject] || d.former[g.Subject]), granted && d.ended(grant.Until):
		return UntilPassed
	case g.For == ForUser && !d.active[g.Subject], g.For == ForGroup && d.groups[g.Subject].Name == "":
		return NotInInventory
	case granted:
		return MembersChanged // nobody is in the group any more
	case d.sameInventory:
		return Drifted
	}
	return RolesChanged
}

// granted finds what the inventory says of a grant, whether or not it has ended.
func (d *index) granted(g Grant) (inventory.Grant, bool) {
	cluster, namespaces := d.groups[g.Subject].ClusterRoles, d.groups[g.Subject].Namespaces
	if g.For == ForUser {
		cluster, namespaces = d.users[g.Subject].ClusterRoles, d.users[g.Subject].Namespaces
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
func (d *differ) conflict(b Binding, action Action, wanted []string) {
	_, g := Classify(d.inv.Owner, b)
	s := Step{
		Action: action, Object: b.Object(), Reasons: []Reason{LabelsMissing}, stage: stageChange,
		binding: &bindingWrite{object: b, subjects: users(wanted)},
	}
	s.hold(fmt.Sprintf("it has certsync's name but not its labels: somebody made it, or took the labels off (look at it, then delete it, or take it over: --adopt %s)",
		inventory.ShellQuote(b.adoptName())), byConflict)
	d.step(s.of(g))
}
