package plan

import (
	"cmp"
	"maps"
	"slices"

	"github.com/certsync/certsync/reconcile"
)

// removals is what a plan takes away, as far as --max-removals and --protect look at it. What was decided before does not
// count: ends by `until`, the moves of a rename, a removal that was cut off. Nor does what comes back in the same plan: a
// binding that another one replaces for the same subject in the same namespace. A removed user counts once, as a user,
// and not again with their bindings.
type removals struct {
	users       []string // removed, who were active
	activeUsers int

	bindings    []string // deleted, by Object()
	allBindings int      // that serve a user of this owner's

	subjects    []entry // taken out of a binding
	allSubjects int

	// people has those who lose a binding or their place in one, and are not among users.
	people map[string]bool

	before, after map[string]map[place]bool // what bindings of ours give to each user
	gone          map[string]bool           // users who are removed, whether that counts or not
	narrowed      map[string]bool           // users whose next certificate lacks a group of this one's
}

// entry is a subject in a binding.
type entry struct {
	object  string
	subject reconcile.Subject
}

// place is a role in a namespace, or cluster-wide.
type place struct{ namespace, role string }

// removals works out what d.plan takes away.
func (d *differ) removals() removals {
	t := removals{people: map[string]bool{}, before: map[string]map[place]bool{}, after: map[string]map[place]bool{},
		gone: map[string]bool{}, narrowed: map[string]bool{}}
	for _, name := range d.Known() {
		if d.isUser(name) {
			t.activeUsers++
		}
	}
	for _, s := range d.plan.Steps {
		switch {
		case s.HeldBy == reconcile.ByConflict && s.Action == reconcile.Remove && d.isUser(s.User) && slices.Contains(s.Reasons, reconcile.NotInInventory):
			t.users = append(t.users, s.User) // the next run may do it, and need not count then
		case s.Held != "":
		case s.Action == reconcile.Remove:
			t.gone[s.User] = true
			if d.isUser(s.User) && slices.Contains(s.Reasons, reconcile.NotInInventory) {
				t.users = append(t.users, s.User)
			}
		case s.Action == reconcile.Reissue && slices.Contains(s.Reasons, reconcile.GroupsChanged):
			t.narrowed[s.User] = slices.ContainsFunc(s.Issue.Record.Current().Groups, func(g string) bool {
				return !slices.Contains(s.Issue.Spec.Groups, g)
			})
		}
	}
	after := d.bindingsAfter()
	d.taken(&t, after, func(name string) bool { return t.gone[name] || d.decided(name) })
	for _, b := range after {
		if g, ok := reconcile.ParseBindingName(d.Inventory.Owner, b.Namespace, b.Name); ok {
			for _, s := range b.Subjects {
				give(t.after, s.Name, g)
			}
		}
	}
	return t
}

// decided reports whether a user's loss was decided before this plan.
func (d *differ) decided(name string) bool {
	rec := d.Observed.Ledger[name].Record
	return d.Lapsed[name] || d.former[name] || d.successor[name] != "" || rec != nil && rec.State == reconcile.Removing
}

// bindingsAfter is each binding of ours once the plan is carried out, by Object().
func (d *differ) bindingsAfter() map[string]reconcile.Binding {
	after := map[string]reconcile.Binding{}
	for object, b := range d.Ours {
		after[object] = b.Binding
	}
	for _, s := range d.plan.Steps { // sorted: in the order of the run
		switch {
		case s.Held != "" || s.Binding == nil:
		case s.Action == reconcile.Unbind:
			delete(after, s.Object)
		default:
			b := s.Binding.Object
			b.Subjects = s.Binding.Subjects
			after[s.Object] = b
		}
	}
	return after
}

// taken compares the bindings of ours before and after. One under another role than its name says is mended, not taken.
func (d *differ) taken(t *removals, after map[string]reconcile.Binding, excused func(name string) bool) {
	replaced := d.replacements(after)
	for _, object := range slices.Sorted(maps.Keys(d.Ours)) {
		b := d.Ours[object]
		if !b.rightRole() {
			continue
		}
		left, stays := after[object]
		ended, whole := !stays && d.unwanted(b.Grant) == reconcile.UntilPassed, stays && slices.Equal(left.Subjects, b.Subjects)
		served, lost := false, false
		for _, s := range b.Subjects {
			if s != reconcile.UserSubject(s.Name) || !d.accountable(s.Name) {
				continue
			}
			served = true
			t.allSubjects++
			give(t.before, s.Name, b.Grant)
			switch {
			case whole, ended, excused(s.Name), stays && slices.Contains(left.Subjects, s),
				!stays && slices.Contains(replaced[whose(b.Grant)], s):
				continue
			}
			lost = true
			t.people[s.Name] = true
			t.subjects = append(t.subjects, entry{object, s})
		}
		if served {
			t.allBindings++
		}
		if !stays && lost && len(replaced[whose(b.Grant)]) == 0 {
			t.bindings = append(t.bindings, object)
		}
	}
}

// replacements lists whom the bindings serve that come to be, by whom they are for and where.
func (d *differ) replacements(after map[string]reconcile.Binding) map[reconcile.Grant][]reconcile.Subject {
	served := map[reconcile.Grant][]reconcile.Subject{}
	for object, b := range after {
		_, ours := d.Ours[object]
		if g, ok := reconcile.ParseBindingName(d.Inventory.Owner, b.Namespace, b.Name); ok && !ours {
			served[whose(g)] = append(served[whose(g)], b.Subjects...)
		}
	}
	return served
}

// whose is a grant without the role: for whom, and where.
func whose(g reconcile.Grant) reconcile.Grant {
	return reconcile.Grant{For: g.For, Subject: g.Subject, Namespace: g.Namespace}
}

// accountable reports whether somebody is, or was, a user of this owner's. Whom certsync never served it takes out of
// its bindings as drift, and no number of them keeps it from doing so.
func (d *differ) accountable(user string) bool {
	_, stored := d.Observed.Credentials[user]
	return stored || d.knows(user)
}

// isUser reports whether somebody can be lost as a user: by their record, or, if that is lost or unreadable, by what else
// there is of them.
func (d *differ) isUser(name string) bool {
	entry := d.Observed.Ledger[name]
	if rec := entry.Record; rec != nil {
		return rec.State == reconcile.Active || rec.State == reconcile.Denied
	}
	_, stored := d.Observed.Credentials[name]
	return d.names[name] && (stored || entry.Problem != "") || stored && entry.Problem != ""
}

// loss says what a plan takes from a user, as a verb with its preposition, or "". It refuses the plan unless it is only
// what RoleBindings give.
func (t removals) loss(name string) (what string, refuses bool) {
	if t.gone[name] {
		return "remove", true
	}
	lost := slices.SortedFunc(maps.Keys(t.before[name]), func(a, b place) int {
		return cmp.Or(cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.role, b.role))
	})
	for _, p := range lost { // sorted: cluster-wide first
		if !t.after[name][p] && !t.after[name][place{role: p.role}] {
			return "take " + reconcile.Grant{Namespace: p.namespace, Role: p.role}.String() + " from", p.namespace == "" || t.narrowed[name]
		}
	}
	if t.narrowed[name] {
		return "take a group from", true
	}
	return "", false
}

func give(to map[string]map[place]bool, user string, g reconcile.Grant) {
	if to[user] == nil {
		to[user] = map[place]bool{}
	}
	to[user][place{g.Namespace, g.Role}] = true
}
