package reconcile

import (
	"fmt"
	"slices"

	"github.com/certsync/certsync/inventory"
)

// write turns a part into steps: at most one before the certificates are issued and one after.
func (d *differ) write(p *part) {
	subjects := slices.Clone(p.stay)
	for _, u := range p.now {
		subjects = append(subjects, UserSubject(u))
	}
	exists := p.observed != nil
	if len(p.extra)+len(p.now) > 0 {
		switch {
		case len(subjects) > 0:
			d.change(p, exists, subjects, stageChange, Detail{Add: p.now, Remove: names(p.extra)}, nil)
			exists = true
		case exists:
			// No binding is kept without subjects: those who come later find none and make it anew.
			d.unbind(*p.observed, d.changeReason(p, p.extra), stageRetire)
			exists = false
		}
	} else if exists && len(subjects) == 0 && len(p.later) == 0 {
		// Somebody emptied it, and whom it was for is blocked.
		d.unbind(*p.observed, Drifted, stageRetire)
	}
	if len(p.later) > 0 {
		for _, u := range p.later {
			subjects = append(subjects, UserSubject(u))
		}
		d.change(p, exists, subjects, stageGrant, Detail{Add: p.later}, p.later)
	}
}

// change plans one write of a binding: bind if it doesn't exist by then, else update.
func (d *differ) change(p *part, exists bool, subjects []Subject, at stage, detail Detail, waitsFor []string) {
	s := Step{Action: Update, Object: p.object(), Reasons: []Reason{d.changeReason(p, p.extra)}, stage: at}
	// For a binding that this run makes first, the executor knows what came of that.
	s.binding = &bindingWrite{object: newBinding(p.owner, p.grant, nil), subjects: subjects, waitsFor: waitsFor}
	if !exists {
		s.Action = Bind
	} else if p.observed != nil {
		s.binding.object = p.observed.Binding
	}
	if p.grant.For == ForGroup {
		s.Group = p.grant.Subject
		s.Detail = &detail
	} else {
		s.User = p.grant.Subject
		if s.Action == Update {
			s.Detail = &detail
		}
	}
	d.step(s)
}

// changeReason says why a wanted binding is not as it should be. Under the inventory of the last run, and for subjects
// that no inventory of ours has put there, it has drifted.
func (d *differ) changeReason(p *part, extra []Subject) Reason {
	changed := RolesChanged
	if p.grant.For == ForGroup && p.observed != nil {
		changed = MembersChanged
	} else if r, ok := d.issues[p.grant.Subject]; ok && r == NewUser && p.grant.For == ForUser {
		return NewUser
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

// unbind ends a binding of ours at a stage; those of people who left go first in any case. One that a finalizer keeps after its subjects were taken out is only noted.
func (d *differ) unbind(b ourBinding, reason Reason, at stage) {
	if b.Terminating && len(b.Subjects) == 0 {
		d.note(Note{Kind: Terminating, Object: b.Object(), Message: "was deleted, and a finalizer keeps it; it grants nothing"})
		return
	}
	s := Step{
		Action: Unbind, Object: b.Object(), Reasons: []Reason{reason}, stage: at,
		binding: &bindingWrite{object: b.Binding},
	}
	if b.grant.For == ForGroup {
		s.Group = b.grant.Subject
		if len(b.Subjects) > 0 {
			s.Detail = &Detail{Remove: names(b.Subjects)}
		}
	} else {
		s.User = b.grant.Subject
		if !d.active[s.User] {
			s.stage = stageUnbind
		}
	}
	d.step(s)
}

// unwanted says why no grant wants a binding of ours.
func (d *differ) unwanted(g Grant) Reason {
	grant, granted := d.granted(g)
	switch {
	case g.For == ForUser && d.lapsed[g.Subject], granted && d.ended(grant.Until):
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
func (d *differ) granted(g Grant) (inventory.Grant, bool) {
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

// conflict holds a step on a binding that has our name and not our labels.
func (d *differ) conflict(b Binding, action Action) {
	_, g := Classify(d.inv.Owner, b)
	s := Step{
		Action: action, Object: b.Object(), Reasons: []Reason{LabelsMissing}, stage: stageChange,
		Held: fmt.Sprintf("it has certsync's name but not its labels: somebody made it, or took the labels off (look at it, then delete it, or label it %s=%s and %s=%s)",
			ManagedByLabel, ManagedByValue, OwnerLabel, d.inv.Owner),
		binding: &bindingWrite{object: b},
	}
	if g.For == ForGroup {
		s.Group = g.Subject
	} else {
		s.User = g.Subject
	}
	d.step(s)
}

// names is how subjects appear in a plan.
func names(subjects []Subject) []string {
	var out []string
	for _, s := range subjects {
		out = append(out, s.String())
	}
	return out
}
