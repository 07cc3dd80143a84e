package plan

import (
	"cmp"
	"maps"
	"slices"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// bindings compares every grant of the inventory with the bindings that make it true, and ends the bindings of ours
// that no grant wants.
func (d *differ) bindings() {
	kept := map[string]bool{}
	for _, g := range slices.SortedFunc(maps.Keys(d.Wanted), compareGrants) {
		d.compareGrant(g, d.Wanted[g], kept)
	}
	for _, object := range slices.Sorted(maps.Keys(d.Ours)) {
		if b := d.Ours[object]; !kept[object] {
			// After what takes its place, even if it seems to have drifted: a role change that was cut off looks the same.
			d.unbind(b, d.unwanted(b.Grant), reconcile.StageRetire)
		}
	}
	for _, object := range slices.Sorted(maps.Keys(d.Planted)) {
		if !kept[object] {
			d.conflict(d.Planted[object], reconcile.Unbind, nil)
		}
	}
}

func compareGrants(a, b reconcile.Grant) int {
	return cmp.Or(cmp.Compare(a.For, b.For), cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Namespace, b.Namespace),
		cmp.Compare(a.Role, b.Role))
}

// wantedGrants collects who should be a subject of what.
func (x *Index) wantedGrants() map[reconcile.Grant][]string {
	wanted := map[reconcile.Grant][]string{}
	members := map[string][]string{}
	add := func(g reconcile.Grant, roles []inventory.Grant, users ...string) {
		for _, r := range roles {
			g.Role = r.ClusterRole
			if !x.Ended(r.Until) && len(users) > 0 {
				wanted[g] = append(wanted[g], users...)
			}
		}
	}
	for _, u := range x.Inventory.Users {
		if !x.Active[u.Name] {
			continue
		}
		g := reconcile.Grant{For: reconcile.ForUser, Subject: u.Name}
		add(g, u.ClusterRoles, u.Name)
		for ns, roles := range u.Namespaces {
			g.Namespace = ns
			add(g, roles, u.Name)
		}
		for _, name := range reconcile.SortedSet(u.Groups) {
			members[name] = append(members[name], u.Name)
		}
	}
	for _, grp := range x.Inventory.Groups {
		g := reconcile.Grant{For: reconcile.ForGroup, Subject: grp.Name}
		add(g, grp.ClusterRoles, members[grp.Name]...)
		for ns, roles := range grp.Namespaces {
			g.Namespace = ns
			add(g, roles, members[grp.Name]...)
		}
	}
	for g := range wanted {
		wanted[g] = reconcile.SortedSet(wanted[g])
	}
	return wanted
}

// missing notes roles and namespaces that don't exist. A binding to a role that is missing is made: it grants nothing
// until the role is there. In a namespace that is missing or terminating none can be made, see closed.
func (d *differ) missing(g reconcile.Grant) {
	n := reconcile.Note{}
	if g.For == reconcile.ForUser {
		n.User = g.Subject
	} else {
		n.Group = g.Subject
	}
	if d.closed(g) {
		n.Kind, n.Object = reconcile.NamespaceMissing, "Namespace "+g.Namespace
		n.Message = "does not exist or is being deleted: what is granted there is bound once it is there"
		d.note(n)
		return
	}
	if !d.Observed.ClusterRoles[g.Role] {
		n.Kind, n.Object = reconcile.ClusterRoleMissing, "ClusterRole "+g.Role
		n.Message = "does not exist: the binding grants nothing until it does"
		d.note(n)
	}
}

// closed reports whether nobody can be added to a grant: its namespace is missing or terminating. People are taken out
// there all the same, since a finalizer can keep a namespace terminating, and what is bound in it granted, for good.
func (d *differ) closed(g reconcile.Grant) bool {
	return g.Namespace != "" && !d.Observed.Namespaces[g.Namespace]
}

// compareGrant compares one grant with its bindings: one for a user, parts of at most MaxSubjects for a group. Members stay in
// their part; new ones go, sorted, to the first with room.
func (d *differ) compareGrant(g reconcile.Grant, users []string, kept map[string]bool) {
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
		d.splitSubjects(p, missing)
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
			d.conflict(d.Planted[p.object()], reconcile.Bind, users)
		} else {
			d.write(p)
		}
	}
}

// part is one binding of a grant: what is observed of it, and what it should be.
type part struct {
	grant    reconcile.Grant
	owner    string
	observed *OurBinding // nil: there is none yet, or it has another roleRef
	planted  bool
	anew     bool                // observed was deleted, and is to be made anew
	stay     []reconcile.Subject // observed subjects that are right
	extra    []reconcile.Subject // observed subjects that are not
	stuck    []reconcile.Subject // observed subjects that are not, and must not be taken out
	now      []string            // users to add who hold a credential
	later    []string            // users to add once theirs is stored
	// occupied: what is there under another role must not be taken away, so nothing can be made in its place.
	occupied reconcile.Step
}

func (p *part) object() string { return reconcile.NewBinding(p.owner, p.grant, nil).Object() }

func (p *part) size() int { return len(p.stay) + len(p.stuck) + len(p.now) + len(p.later) }

// part looks up the binding for g. One of ours with another roleRef than its name says is ended first.
func (d *differ) part(g reconcile.Grant, kept map[string]bool) *part {
	p := &part{grant: g, owner: d.Inventory.Owner}
	object := p.object()
	kept[object] = true
	if _, ok := d.Planted[object]; ok {
		p.planted = true
	}
	if b, ok := d.Ours[object]; ok {
		if b.rightRole() {
			p.observed, p.anew = &b, d.anew(b)
		} else {
			p.occupied = d.unbind(b, reconcile.Drifted, reconcile.StageUnbind) // its name is needed
		}
	}
	return p
}

// splitSubjects splits the observed subjects into those that are right and those that are not, and takes the right ones out of
// missing: a member who is in two parts already is extra in the second.
func (d *differ) splitSubjects(p *part, missing map[string]bool) {
	if p.observed == nil {
		return
	}
	object := p.observed.Object()
	for _, s := range p.observed.Subjects {
		if s == reconcile.UserSubject(s.Name) && missing[s.Name] {
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
func (d *differ) stuckIn(object string, s reconcile.Subject) (why string, by reconcile.HoldCause) {
	if why := d.guarded.subject(object, s); why != "" && d.rules.Policy.Takes() {
		return why, reconcile.ByGuard
	}
	if s != reconcile.UserSubject(s.Name) {
		s.Name = "" // nobody's name
	}
	why, by = d.stuck(s.Name)
	if (by == reconcile.ByWait || by == reconcile.ByDenial) && !d.inherits(s.Name, d.Ours[object].Grant) {
		return "", reconcile.NotHeld
	}
	return why, by
}

// inherits reports whether somebody should have under the name that they have now what g gave to their old one. If not,
// it is a role that was taken away, for which no rename waits.
func (d *differ) inherits(old string, g reconcile.Grant) bool {
	g.Part = 0
	if now := d.successor[old]; g.For == reconcile.ForUser {
		g.Subject = now
	}
	_, found := slices.BinarySearch(d.Wanted[g], d.successor[old])
	return found
}

// holdSubject shows that somebody stays in a binding who should not.
func (d *differ) holdSubject(b *OurBinding, s reconcile.Subject, why string, by reconcile.HoldCause) {
	step := reconcile.Step{
		Action: reconcile.Update, Object: b.Object(), Reasons: []reconcile.Reason{d.lossReason(b.Grant, s)}, Stage: reconcile.StageChange,
		Detail: &reconcile.Detail{Remove: reconcile.SubjectNames([]reconcile.Subject{s})}, Binding: &reconcile.BindingWrite{Object: b.Binding, Subjects: b.Subjects},
	}
	step.Hold(why, by)
	d.step(step.ForGrant(b.Grant))
}

// lossReason says why a subject is to be taken out of a binding.
func (d *differ) lossReason(g reconcile.Grant, s reconcile.Subject) reconcile.Reason {
	switch {
	case s != reconcile.UserSubject(s.Name) || !d.knows(s.Name):
		return reconcile.Drifted
	case d.successor[s.Name] != "":
		return reconcile.Renamed
	case g.For == reconcile.ForGroup:
		return reconcile.MembersChanged
	}
	return reconcile.RolesChanged
}

// leaves reports whether one of names is to be taken out of a part.
func (p *part) leaves(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return slices.Contains(p.extra, reconcile.UserSubject(name)) })
}

// place puts a user into the first part with room, or into a new one with the lowest free number.
func (d *differ) place(g reconcile.Grant, user string, parts []*part) []*part {
	var into *part
	free := 1
	for _, p := range parts {
		// Who has another name now stays in the part that had the old one, so that one write exchanges the two.
		if p.size() < reconcile.MaxSubjects && (into == nil || p.leaves(d.Users[user].Previously)) {
			into = p
		}
		if p.grant.Part == free {
			free++
		}
	}
	if into == nil {
		g.Part = free
		into = &part{grant: g, owner: d.Inventory.Owner}
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
