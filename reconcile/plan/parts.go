package plan

import (
	"cmp"
	"maps"
	"slices"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/plan/index"
)

// part is one binding of ours: what is observed of it, and what it should be. Its changes are edits, each of one subject,
// so that a guard can hold one and let the others go.
type part struct {
	grant    reconcile.Grant  // with its Part
	observed *index.Binding   // nil: there is none yet
	wanted   bool             // a grant of the inventory is behind it
	reason   reconcile.Reason // why it is to go, if no grant is; why it was deleted, if it is made in another one's place
	stay     []reconcile.Subject
	edits    []*edit
	comes    int             // how many of edits add a subject
	goes     map[string]bool // users whom edits take out
	anew     bool            // it was deleted, a finalizer keeps it, and it is to be made anew
}

// edit is one subject that comes into a binding or goes out of it.
type edit struct {
	subject reconcile.Subject
	adds    bool
	reason  reconcile.Reason // why it goes
	// waits: it comes when the user's certificate, which this run gets, is stored.
	waits bool
	// successor is the name under which a subject that goes should have the same now, "" if there is none.
	successor string

	held string
	by   reconcile.HoldCause
	// dropped: nothing is said of it in a step, since a step or a note of its user says why it does not come.
	dropped bool
}

func (e *edit) hold(why string, by reconcile.HoldCause) {
	if why != "" && e.held == "" {
		e.held, e.by = why, by
	}
}

// runs reports whether the edit is carried out.
func (e *edit) runs() bool { return e.held == "" && !e.dropped }

// user is the edit's user, "" for a subject that is no User.
func (e *edit) user() string { return e.subject.Person() }

// wrongRole reports whether the binding that is there has another role than its name says. It gives nobody what they should
// have, so it is deleted before anything is made in its place, and no guard keeps it.
func (p *part) wrongRole() bool { return p.observed != nil && !p.observed.RightRole() }

func (p *part) binding(owner string) reconcile.Binding {
	return reconcile.NewBinding(owner, p.grant, nil)
}

// size is how many subjects the binding will have.
func (p *part) size() int { return len(p.stay) + p.comes }

// allParts compares every grant of the inventory with the bindings that make it true, and adds the bindings of ours that no
// grant wants. They are sorted by what they grant.
func allParts(x *index.Index, verdicts map[string]verdict) (all []*part, notes []reconcile.Note) {
	taken := map[string]bool{}
	for _, g := range slices.SortedFunc(maps.Keys(x.Wanted), compareGrants) {
		notes = append(notes, missing(x, g)...)
		for _, p := range wantedParts(x, verdicts, g) {
			taken[p.binding(x.Inventory.Owner).Object()] = true
			all = append(all, p)
		}
	}
	for _, object := range slices.Sorted(maps.Keys(x.Ours)) {
		if !taken[object] {
			all = append(all, unwantedPart(x, x.Ours[object]))
		}
	}
	slices.SortFunc(all, func(a, b *part) int { return compareGrants(a.grant, b.grant) })
	return all, notes
}

// missing notes roles and namespaces that don't exist. A binding to a role that is missing is made: it grants nothing
// until the role is there. In a namespace that is missing or terminating none can be made, see Index.Closed.
func missing(x *index.Index, g reconcile.Grant) []reconcile.Note {
	n := reconcile.Note{User: g.Subject}
	if g.For == reconcile.ForGroup {
		n.User, n.Group = "", g.Subject
	}
	switch {
	case x.Closed(g):
		n.Kind, n.Object = reconcile.NamespaceMissing, "Namespace "+g.Namespace
		n.Message = "does not exist or is being deleted: certsync creates the bindings there when it exists"
	case g.RoleKind == reconcile.NamespaceRole:
		if _, exists := x.Observed.Rules[g.Bound()]; exists || x.Observed.Partly[g.Namespace] {
			return nil
		}
		n.Kind, n.Object = reconcile.RoleMissing, "Role "+g.Namespace+"/"+g.Role
		n.Message = "does not exist: the binding grants nothing until it does"
	case !x.Observed.ClusterRoles[g.Role]:
		n.Kind, n.Object = reconcile.ClusterRoleMissing, "ClusterRole "+g.Role
		n.Message = "does not exist: the binding grants nothing until it does"
	default:
		return nil
	}
	return []reconcile.Note{n}
}

// wantedParts compares one grant with its bindings: one for a user, parts of at most MaxSubjects for a group. Members stay in
// their part; new ones go, sorted, to the first with room.
func wantedParts(x *index.Index, verdicts map[string]verdict, g reconcile.Grant) []*part {
	users, lacking := x.Wanted[g], map[string]bool{}
	for _, u := range users {
		lacking[u] = true
	}
	var parts []*part
	for _, n := range x.Parts[g] {
		g.Part = n
		b := x.Ours[reconcile.NewBinding(x.Inventory.Owner, g, nil).Object()]
		p := &part{grant: g, observed: &b, wanted: true}
		if !p.wrongRole() {
			p.anew = anew(x, b)
			p.compare(x, lacking)
		}
		parts = append(parts, p)
	}
	for _, u := range users {
		if lacking[u] && !x.Closed(g) {
			parts = addMember(x, g, parts, u, !verdicts[u].stays)
		}
	}
	return parts
}

// compare splits the observed subjects into those that are right and those that go, and takes the right ones out of lacking:
// a member who is in two parts already goes out of the second.
func (p *part) compare(x *index.Index, lacking map[string]bool) {
	p.goes = map[string]bool{}
	for _, s := range p.observed.Subjects {
		if user := s.Person(); s == x.Subject(user) && lacking[user] {
			p.stay = append(p.stay, s)
			delete(lacking, user)
			continue
		}
		p.edits = append(p.edits, taking(x, p.grant, s, lossReason(x, p.grant, s)))
		p.goes[s.Person()] = true
	}
}

// taking is the edit that takes a subject out of a binding for g.
func taking(x *index.Index, g reconcile.Grant, s reconcile.Subject, why reconcile.Reason) *edit {
	e := &edit{subject: s, reason: why}
	own := g.For == reconcile.ForGroup || g.Subject == e.user()
	if name := e.user(); name != "" && own && x.Counts(g, e.subject) && x.Inherits(name, g) && !x.RevokesFormer(name) {
		e.successor = x.Successor[name]
	}
	return e
}

// addMember puts a user into the first part with room, or into a new one with the lowest free number. A user with a new name,
// or in a new epoch, goes to the part that had the old one.
func addMember(x *index.Index, g reconcile.Grant, parts []*part, user string, waits bool) []*part {
	var into *part
	names := append([]string{user}, x.Users[user].Previously...)
	free := 1 // Part 0 of g stands for all of them
	for _, p := range parts {
		if p.size() < reconcile.MaxSubjects && (into == nil || p.loses(names)) {
			into = p
		}
		if p.grant.Part == free {
			free++
		}
	}
	if into == nil {
		g.Part = free
		into = &part{grant: g, wanted: true}
		parts = append(parts, into)
		slices.SortFunc(parts, func(a, b *part) int { return cmp.Compare(a.grant.Part, b.grant.Part) })
	}
	into.edits = append(into.edits, &edit{subject: x.Subject(user), adds: true, waits: waits})
	into.comes++
	return parts
}

// loses reports whether one of names goes out of a part.
func (p *part) loses(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return p.goes[name] })
}

// unwantedPart is a binding of ours that no grant wants.
func unwantedPart(x *index.Index, b index.Binding) *part {
	p := &part{grant: b.Grant, observed: &b, reason: unwanted(x, b)}
	if p.wrongRole() {
		return p
	}
	for _, s := range b.Subjects {
		p.edits = append(p.edits, taking(x, b.Grant, s, p.reason))
	}
	return p
}

// anew reports whether a wanted binding that was deleted, and that a finalizer keeps, is made again. It is not where nothing
// can be created or deleted, nor where it may give apply its own rights: there it is noted.
func anew(x *index.Index, b index.Binding) bool {
	return b.Terminating && x.Rules.Policy.Takes() && !x.Closed(b.Grant) &&
		!slices.ContainsFunc(b.Subjects, func(s reconcile.Subject) bool { return s.Person() == x.Rules.Self })
}

func compareGrants(a, b reconcile.Grant) int {
	return cmp.Or(cmp.Compare(a.For, b.For), cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Namespace, b.Namespace),
		cmp.Compare(a.RoleKind, b.RoleKind), cmp.Compare(a.Role, b.Role), cmp.Compare(a.Part, b.Part))
}
