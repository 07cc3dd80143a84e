package plan

import (
	"fmt"
	"slices"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/refusal"
)

// holdUser holds all that would be taken from a user, and a certificate with fewer groups. Access that somebody else gave
// them by a binding of ours goes nevertheless.
func (d *draft) holdUser(name, why string, by reconcile.HoldCause) {
	d.taken(func(p *part, e *edit) {
		if e.user() == name && d.x.Counts(p.grant, e.subject) {
			e.hold(why, by)
		}
	})
	if s := d.verdicts[name].step; s != nil && (s.Action == reconcile.Remove || slices.Contains(s.Reasons, reconcile.GroupsChanged)) {
		s.Hold(why, by)
	}
}

// noUsers holds all removals of an inventory without users, unless --allow-empty says that they are meant.
type noUsers struct{}

func (noUsers) find(d *draft) ([]string, func()) {
	if len(d.x.Inventory.Users) > 0 || d.x.Rules.AllowEmpty || !d.x.Rules.Policy.Takes() {
		return nil, nil
	}
	const why = refusal.NoUsers
	return []string{why}, func() {
		d.taken(func(p *part, e *edit) {
			if d.x.Counts(p.grant, e.subject) {
				e.hold(why, reconcile.ByGuard)
			}
		})
		for _, v := range d.verdicts {
			if v.step != nil && v.step.Action == reconcile.Remove {
				v.step.Hold(why, reconcile.ByGuard)
			}
		}
	}
}

// removalLimit is --max-removals: it holds removals when there are too many users, bindings or subjects of them. Removals by the
// inventory refuse the plan. Removals that come with labels of namespaces are only held: whoever may change labels stops nothing else.
type removalLimit struct{ reconcile.Limit }

func (f removalLimit) find(d *draft) (refusals []string, hold func()) {
	// A state of version 1 does not say who has what. Under its inventory there is only drift to take away, and what the last
	// run did not come to: it was looked at then, unless that run held something back.
	s := d.x.Observed.State
	accepted := s != nil && s.Grants == nil && d.x.SameInventory && !s.HeldBack
	if len(d.x.Inventory.Users) == 0 || accepted || !d.x.Rules.Policy.Takes() {
		return nil, nil
	}
	t := removalsOf(d)
	users := f.over("would remove %d of %d users, more than %s (--max-removals)", len(t.users), t.allUsers)
	inInventory := func(name string) bool { return d.x.Lapsed[name] }
	if users != "" && len(t.users) == t.allUsers && !slices.ContainsFunc(t.users, inInventory) {
		users += refusal.OtherInventory(d.x.Inventory.Owner, d.x.Observed.State)
	}
	bindings, subjects := f.losses("", t.byInventory, t)
	for _, why := range []string{users, bindings, subjects} {
		if why != "" {
			refusals = append(refusals, why)
		}
	}
	unlabelled, unselected := f.losses("labels of namespaces ", t.byLabels, t)
	return refusals, func() {
		if users != "" {
			for _, name := range t.users {
				d.holdUser(name, users, reconcile.ByGuard)
			}
		}
		d.holdLosses(t.byInventory, bindings, subjects, reconcile.ByGuard)
		d.holdLosses(t.byLabels, unlabelled, unselected, reconcile.ByConflict)
	}
}

// over says that too many are taken, or nothing.
func (f removalLimit) over(format string, taken, total int) string {
	if taken <= f.Allowed(total) {
		return ""
	}
	return fmt.Sprintf(format, taken, total, f.Limit)
}

// losses says that too many bindings, or subjects of bindings, are taken. The loss of one person does not count if the limit
// allows one, however many bindings it is: "at least 1" is about people.
func (f removalLimit) losses(who string, l losses, t removals) (bindings, subjects string) {
	if len(l.people) <= 1 && f.Allowed(1) >= 1 {
		return "", ""
	}
	return f.over(who+"would delete %d of %d bindings, more than %s (--max-removals)", len(l.bindings), t.allBindings),
		f.over(who+"would take %d of %d subjects out of their bindings, more than %s (--max-removals)", l.lost, t.allSubjects)
}

// holdLosses holds who counts, and nobody else in the same binding: who left or whose time is over goes all the same.
func (d *draft) holdLosses(l losses, bindings, subjects string, by reconcile.HoldCause) {
	d.taken(func(p *part, e *edit) {
		g := p.grant
		g.Part = 0
		if _, lost := slices.BinarySearch(l.subjects[g], e.user()); !lost || !d.x.Counts(g, e.subject) {
			return
		}
		if e.hold(subjects, by); l.bindings[g] {
			e.hold(bindings, by)
		}
	})
}
