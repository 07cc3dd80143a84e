package plan

import (
	"cmp"
	"maps"
	"slices"

	"github.com/certsync/certsync/reconcile"
)

// removals is what a draft takes away, as far as --max-removals looks at it. What was decided before does not count: ends by
// `until`, the moves of a rename, a removal that was cut off. Nor does what comes back in the same plan: a binding that
// another one replaces for the same subject in the same namespace. A removed user counts once, as a user, and not again with
// their bindings. Totals are those of the index: nobody can make them smaller by deleting bindings.
type removals struct {
	users    []string // removed, who were active
	allUsers int

	bindings    []*part // deleted
	allBindings int

	subjects    []loss // taken out of a binding
	allSubjects int

	people map[string]bool // who lose a binding or their place in one, and are not among users
}

// loss is a subject that goes out of a binding in which certsync may have put it.
type loss struct {
	part *part
	edit *edit
}

// place is a role in a namespace, or cluster-wide.
type place struct{ namespace, role string }

func removalsOf(d *draft) removals {
	t := removals{people: map[string]bool{}}
	for _, name := range d.x.Known() {
		if isUser(d.x, name) {
			t.allUsers++
			// By the index alone: what stands in the ledger makes no difference to what others may lose.
			if leaves(d.x, name) && d.x.rules.Policy.Takes() {
				t.users = append(t.users, name)
			}
		}
	}
	replaced := replacements(d)
	for _, p := range d.parts {
		if p.observed == nil || p.wrongRole() {
			continue
		}
		lost := 0
		for _, e := range p.edits {
			name := e.user()
			if e.adds || !e.runs() || name == "" || !d.x.explained(p.grant, name) || !d.x.Active[name] || p.reason == reconcile.UntilPassed ||
				!p.wanted && slices.Contains(replaced[whose(p.grant)], name) {
				continue
			}
			lost++
			t.people[name] = true
			t.subjects = append(t.subjects, loss{p, e})
		}
		if lost > 0 && !p.wanted && len(replaced[whose(p.grant)]) == 0 {
			t.bindings = append(t.bindings, p)
		}
	}
	t.allBindings, t.allSubjects = totals(d)
	return t
}

// totals counts the bindings of this owner, and the subjects in them: by the index, and without one by what is there.
func totals(d *draft) (bindings, subjects int) {
	if d.x.grants != nil {
		for _, users := range d.x.grants.All() {
			bindings++
			subjects += len(users)
		}
		return bindings, subjects
	}
	for _, b := range d.x.Ours {
		n := 0
		for _, s := range b.Subjects {
			if s == reconcile.UserSubject(s.Name) && d.x.explained(b.Grant, s.Name) {
				n++
			}
		}
		if n > 0 {
			bindings++
		}
		subjects += n
	}
	return bindings, subjects
}

// isUser reports whether somebody can be lost as a user: by the index. Where there is none, it is by the record, or by the
// credential of somebody whose record is unreadable.
func isUser(x *Index, name string) bool {
	if x.grants != nil {
		n, indexed := x.names[name]
		return indexed && !n.Left && !n.Ended
	}
	entry := x.Observed.Ledger[name]
	_, stored := x.Observed.Credentials[name]
	if rec := entry.Record; rec != nil {
		return rec.State == reconcile.Active || rec.State == reconcile.Denied
	}
	return entry.Problem != "" && stored
}

// leaves reports whether somebody is not in the inventory any more, under any name.
func leaves(x *Index, name string) bool {
	return !x.Active[name] && !x.Lapsed[name] && !x.former[name] && x.successor[name] == ""
}

// rolesAfter is what each user has by bindings of ours when the draft is carried out, but for what waits for a certificate, which
// may not come.
func rolesAfter(d *draft) map[string]map[place]bool {
	after := map[string]map[place]bool{}
	for _, p := range d.parts {
		if p.wrongRole() && !p.wanted {
			continue
		}
		for _, s := range p.stay {
			give(after, s.Name, p.grant)
		}
		for _, e := range p.edits {
			if e.adds == e.runs() && !e.waits { // it comes, or it stays
				give(after, e.subject.Name, p.grant)
			}
		}
	}
	return after
}

func give(to map[string]map[place]bool, user string, g reconcile.Grant) {
	if to[user] == nil {
		to[user] = map[place]bool{}
	}
	to[user][place{g.Namespace, g.Role}] = true
}

// has reports whether roles have what a grant gives, there or everywhere.
func has(roles map[place]bool, g reconcile.Grant) bool {
	return roles[place{g.Namespace, g.Role}] || roles[place{role: g.Role}]
}

// replacements lists who comes into bindings, by whom these are for and where.
func replacements(d *draft) map[reconcile.Grant][]string {
	served := map[reconcile.Grant][]string{}
	for _, p := range d.parts {
		for _, e := range p.edits {
			if e.adds && e.runs() {
				served[whose(p.grant)] = append(served[whose(p.grant)], e.subject.Name)
			}
		}
	}
	return served
}

// whose is a grant without the role: for whom, and where.
func whose(g reconcile.Grant) reconcile.Grant {
	return reconcile.Grant{For: g.For, Subject: g.Subject, Namespace: g.Namespace}
}

// lossesOf says what a draft takes from a user, as a verb with its preposition, or "".
func lossesOf(d *draft, name string) string {
	s := d.verdicts[name].step
	if s != nil && s.Action == reconcile.Remove && s.Held == "" && isUser(d.x, name) {
		return "remove"
	}
	after := rolesAfter(d)[name]
	before := map[string]map[place]bool{}
	d.taken(func(p *part, e *edit) {
		if e.user() == name && d.x.explained(p.grant, name) && !p.wrongRole() {
			give(before, name, p.grant)
		}
	})
	lost := slices.SortedFunc(maps.Keys(before[name]), func(a, b place) int {
		return cmp.Or(cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.role, b.role))
	})
	for _, p := range lost { // sorted: cluster-wide first
		if g := (reconcile.Grant{Namespace: p.namespace, Role: p.role}); !has(after, g) {
			return "take " + g.String() + " from"
		}
	}
	if s != nil && s.Action == reconcile.Reissue && s.Held == "" && slices.Contains(s.Reasons, reconcile.GroupsChanged) &&
		slices.ContainsFunc(s.Issue.Record.Current().Groups, func(g string) bool { return !slices.Contains(s.Issue.Spec.Groups, g) }) {
		return "take a group from"
	}
	return ""
}
