package reconcile

import (
	"cmp"
	"maps"
	"slices"

	"github.com/certsync/certsync/inventory"
)

// bindings compares every grant of the inventory with the bindings that make it true, and ends the bindings of ours
// that no grant wants.
func (d *differ) bindings() {
	kept := map[string]bool{}
	for _, g := range slices.SortedFunc(maps.Keys(d.wanted), compareGrants) {
		d.grant(g, d.wanted[g], kept)
	}
	for _, object := range slices.Sorted(maps.Keys(d.ours)) {
		if b := d.ours[object]; !kept[object] {
			// After what takes its place, even if it seems to have drifted: a role change that was cut off looks the same.
			d.unbind(b, d.unwanted(b.grant), stageRetire)
		}
	}
	for _, object := range slices.Sorted(maps.Keys(d.planted)) {
		if !kept[object] {
			d.conflict(d.planted[object], Unbind, nil)
		}
	}
}

func compareGrants(a, b Grant) int {
	return cmp.Or(cmp.Compare(a.For, b.For), cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Namespace, b.Namespace),
		cmp.Compare(a.Role, b.Role))
}

// grants collects who should be a subject of what.
func (d *index) grants() map[Grant][]string {
	wanted := map[Grant][]string{}
	members := map[string][]string{}
	add := func(g Grant, roles []inventory.Grant, users ...string) {
		for _, r := range roles {
			g.Role = r.ClusterRole
			if !d.ended(r.Until) && len(users) > 0 {
				wanted[g] = append(wanted[g], users...)
			}
		}
	}
	for _, u := range d.inv.Users {
		if !d.active[u.Name] {
			continue
		}
		g := Grant{For: ForUser, Subject: u.Name}
		add(g, u.ClusterRoles, u.Name)
		for ns, roles := range u.Namespaces {
			g.Namespace = ns
			add(g, roles, u.Name)
		}
		for _, name := range sortedSet(u.Groups) {
			members[name] = append(members[name], u.Name)
		}
	}
	for _, grp := range d.inv.Groups {
		g := Grant{For: ForGroup, Subject: grp.Name}
		add(g, grp.ClusterRoles, members[grp.Name]...)
		for ns, roles := range grp.Namespaces {
			g.Namespace = ns
			add(g, roles, members[grp.Name]...)
		}
	}
	for g := range wanted {
		wanted[g] = sortedSet(wanted[g])
	}
	return wanted
}

// missing notes roles and namespaces that don't exist. A binding to a role that is missing is made: it grants nothing
// until the role is there. In a namespace that is missing or terminating none can be made, see closed.
func (d *differ) missing(g Grant) {
	n := Note{}
	if g.For == ForUser {
		n.User = g.Subject
	} else {
		n.Group = g.Subject
	}
	if d.closed(g) {
		n.Kind, n.Object = NamespaceMissing, "Namespace "+g.Namespace
		n.Message = "does not exist or is being deleted: what is granted there is bound once it is there"
		d.note(n)
		return
	}
	if !d.o.ClusterRoles[g.Role] {
		n.Kind, n.Object = ClusterRoleMissing, "ClusterRole "+g.Role
		n.Message = "does not exist: the binding grants nothing until it does"
		d.note(n)
	}
}

// closed reports whether nobody can be added to a grant: its namespace is missing or terminating. People are taken out
// there all the same, since a finalizer can keep a namespace terminating, and what is bound in it granted, for good.
func (d *differ) closed(g Grant) bool { return g.Namespace != "" && !d.o.Namespaces[g.Namespace] }

// grant compares one grant with its bindings: one for a user, parts of at most MaxSubjects for a group. Members stay in
// their part; new ones go, sorted, to the first with room.
func (d *differ) grant(g Grant, users []string, kept map[string]bool) {
	d.missing(g)
	g.Part = 1
	var parts []*part
	for _, n := range d.parts[g] {
		g.Part = n
		parts = append(parts, d.part(g, kept))
	}
	g.Part = 1
	missing := map[string]bool{}
	for _, u := range users {
		missing[u] = true
	}
	planted := false
	for _, p := range parts {
		d.keep(p, missing)
		planted = planted || p.planted
	}
	for _, u := range users {
		// A blocked user's own step says why they get nothing new.
		if missing[u] && !planted && !d.blocked[u] && !d.closed(g) {
			parts = d.place(g, u, parts)
		}
	}
	for _, p := range parts {
		if p.planted {
			d.conflict(d.planted[p.object()], Bind, users)
		} else {
			d.write(p)
		}
	}
}

// part is one binding of a grant: what is observed of it, and what it should be.
type part struct {
	grant    Grant
	owner    string
	observed *ourBinding // nil: there is none yet, or it has another roleRef
	planted  bool
	anew     bool      // observed was deleted, and is to be made anew
	stay     []Subject // observed subjects that are right
	extra    []Subject // observed subjects that are not
	stuck    []Subject // observed subjects that are not, and must not be taken out
	now      []string  // users to add who hold a credential
	later    []string  // users to add once theirs is stored
	// occupied: what is there under another role must not be taken away, so nothing can be made in its place.
	occupied Step
}

func (p *part) object() string { return newBinding(p.owner, p.grant, nil).Object() }

func (p *part) size() int { return len(p.stay) + len(p.stuck) + len(p.now) + len(p.later) }

// part looks up the binding for g. One of ours with another roleRef than its name says is ended first.
func (d *differ) part(g Grant, kept map[string]bool) *part {
	p := &part{grant: g, owner: d.inv.Owner}
	object := p.object()
	kept[object] = true
	if _, ok := d.planted[object]; ok {
		p.planted = true
	}
	if b, ok := d.ours[object]; ok {
		if b.rightRole() {
			p.observed, p.anew = &b, d.anew(b)
		} else {
			p.occupied = d.unbind(b, Drifted, stageUnbind) // its name is needed
		}
	}
	return p
}

// keep splits the observed subjects into those that are right and those that are not, and takes the right ones out of
// missing: a member who is in two parts already is extra in the second.
func (d *differ) keep(p *part, missing map[string]bool) {
	if p.observed == nil {
		return
	}
	object := p.observed.Object()
	for _, s := range p.observed.Subjects {
		if s == UserSubject(s.Name) && missing[s.Name] {
			p.stay = append(p.stay, s)
			delete(missing, s.Name)
		} else if why, by := d.stuckIn(object, s); why != "" {
			p.stuck = append(p.stuck, s)
			d.holdSubject(p.observed, s, why, by)
		} else {
			p.extra = append(p.extra, s)
		}
	}
}

// stuckIn says why a subject must not be taken out of a binding, or "".
func (d *differ) stuckIn(object string, s Subject) (why string, by hold) {
	if why := d.holds.subject(object, s); why != "" && d.rules.Policy.takes() {
		return why, byGuard
	}
	if s != UserSubject(s.Name) {
		s.Name = "" // nobody's name
	}
	why, by = d.stuck(s.Name)
	if (by == byWait || by == byDenial) && !d.inherits(s.Name, d.ours[object].grant) {
		return "", notHeld
	}
	return why, by
}

// inherits reports whether somebody should have under the name that they have now what g gave to their old one. If not,
// it is a role that was taken away, for which no rename waits.
func (d *differ) inherits(old string, g Grant) bool {
	g.Part = 0
	if now := d.successor[old]; g.For == ForUser {
		g.Subject = now
	}
	_, found := slices.BinarySearch(d.wanted[g], d.successor[old])
	return found
}

// holdSubject shows that somebody stays in a binding who should not.
func (d *differ) holdSubject(b *ourBinding, s Subject, why string, by hold) {
	step := Step{
		Action: Update, Object: b.Object(), Reasons: []Reason{d.lossReason(b.grant, s)}, stage: stageChange,
		Detail: &Detail{Remove: names([]Subject{s})}, binding: &bindingWrite{object: b.Binding, subjects: b.Subjects},
	}
	step.hold(why, by)
	d.step(step.of(b.grant))
}

// lossReason says why a subject is to be taken out of a binding.
func (d *differ) lossReason(g Grant, s Subject) Reason {
	switch {
	case s != UserSubject(s.Name) || !d.knows(s.Name):
		return Drifted
	case d.successor[s.Name] != "":
		return Renamed
	case g.For == ForGroup:
		return MembersChanged
	}
	return RolesChanged
}

// leaves reports whether one of names is to be taken out of a part.
func (p *part) leaves(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return slices.Contains(p.extra, UserSubject(name)) })
}

// place puts a user into the first part with room, or into a new one with the lowest free number.
func (d *differ) place(g Grant, user string, parts []*part) []*part {
	var into *part
	free := 1
	for _, p := range parts {
		// Who has another name now stays in the part that had the old one, so that one write exchanges the two.
		if p.size() < MaxSubjects && (into == nil || p.leaves(d.users[user].Previously)) {
			into = p
		}
		if p.grant.Part == free {
			free++
		}
	}
	if into == nil {
		g.Part = free
		into = &part{grant: g, owner: d.inv.Owner}
		parts = append(parts, into)
		slices.SortFunc(parts, func(a, b *part) int { return cmp.Compare(a.grant.Part, b.grant.Part) })
	}
	if d.stays[user] {
		into.now = append(into.now, user)
	} else {
		into.later = append(into.later, user)
	}
	return parts
}
