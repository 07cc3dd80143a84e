package plan

import (
	"cmp"
	"maps"
	"slices"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/plan/index"
)

// removals is what a plan takes from users, as --max-removals counts it. It comes from the index, the inventory and the labels of
// namespaces. So a tenant, or a writer of one path in Vault, can neither cause a refusal nor hide a removal. Decided ends do not
// count: an `until` that has come since the last run, and the moves of a rename. A role that another one replaces for the same
// subject in the same namespace does not count either, unless labels replace it: nobody has decided on that. A removed user counts
// once, as a user, and not again with their bindings. Losses that come with labels count by themselves: a user who may label
// namespaces must not hold what the inventory takes.
type removals struct {
	users    []string // removed, who were active
	allUsers int

	byInventory, byLabels losses
	allBindings           int
	allSubjects           int
}

// losses are grants (Part 0) that active users lose.
type losses struct {
	bindings map[reconcile.Grant]bool     // that nobody needs any more
	subjects map[reconcile.Grant][]string // who loses what
	lost     int                          // how many subjects these are
	people   map[string]bool              // of subjects
}

func newLosses() losses {
	return losses{bindings: map[reconcile.Grant]bool{}, subjects: map[reconcile.Grant][]string{}, people: map[string]bool{}}
}

// place is a role in a namespace, or cluster-wide.
type place struct {
	namespace string
	kind      reconcile.RoleKind
	role      string
}

func placeOf(g reconcile.Grant) place { return place{g.Namespace, g.RoleKind, g.Role} }

func removalsOf(d *draft) removals {
	x := d.x
	t := removals{byInventory: newLosses(), byLabels: newLosses()}
	for _, name := range x.Known() {
		if isUser(x, name) {
			t.allUsers++
			if leaves(x, name) || x.Lapsed[name] && !x.Foreseen(x.Users[name].Until) {
				t.users = append(t.users, name)
			}
		}
	}
	replaced := replacements(d)
	for _, all := range []map[reconcile.Grant][]string{d.given, d.gone} {
		t.allBindings += len(all)
		for _, users := range all {
			t.allSubjects += len(users)
		}
	}
	for g, users := range d.given {
		_, wanted := x.Wanted[g]
		ends, nowhere := x.Ends(g) && x.Foreseen(x.EndOf(g)), x.Unselected(g)
		for _, name := range users {
			if !x.Active[name] || x.Wants(g, name) || ends || !wanted && !nowhere && slices.Contains(replaced[whose(g)], name) {
				continue
			}
			l := &t.byInventory
			if nowhere && gets(x, g, name) {
				l = &t.byLabels
			}
			l.lost++
			l.people[name] = true
			l.subjects[g] = append(l.subjects[g], name)
			if !wanted && (nowhere || len(replaced[whose(g)]) == 0) {
				l.bindings[g] = true
			}
		}
	}
	return t
}

// givenGrants is what counts as a loss when it is taken, each grant (Part 0) with its users, sorted: all that the index has, and of
// the bindings that are there what is explained. gone has what selectors gave in a namespace that is deleted, also when somebody
// has made the namespace again without the label. It counts for the whole: a tenant who deletes a binding must not lower the limit.
func givenGrants(x *index.Index) (given, gone map[reconcile.Grant][]string) {
	all := map[reconcile.Grant][]string{}
	if x.Grants != nil {
		all = x.Grants.All()
	}
	for _, b := range x.Ours {
		if x.Grants != nil && x.SameInventory {
			break // what is there beside it has drifted
		}
		g := b.Grant
		g.Part = 0
		for _, s := range b.Subjects {
			if user, _ := reconcile.Person(s.Name); s == x.Subject(user) && b.RightRole() && x.Explained(g, user) {
				all[g] = append(all[g], user)
			}
		}
	}
	given, gone = map[reconcile.Grant][]string{}, map[reconcile.Grant][]string{}
	for g, users := range all {
		_, exists := x.Observed.Namespaces[g.Namespace]
		_, wanted := x.Wanted[g]
		if g.Namespace != "" && !wanted && (!exists || len(x.Parts[g]) == 0 && x.Unselected(g)) {
			gone[g] = reconcile.SortedSet(users) // it went with its namespace
		} else {
			given[g] = reconcile.SortedSet(users)
		}
	}
	return given, gone
}

// isUser reports whether somebody can be lost as a user: by the index. Where there is none, it is by the record, or by the
// credential of somebody whose record is unreadable.
func isUser(x *index.Index, name string) bool {
	if x.Grants != nil {
		n, indexed := x.Names[name]
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
func leaves(x *index.Index, name string) bool {
	return !x.Active[name] && !x.Lapsed[name] && !x.Former[name] && x.Successor[name] == ""
}

// replacements lists who gets something that they had not, by whom it is for and where.
func replacements(d *draft) map[reconcile.Grant][]string {
	all := map[reconcile.Grant][]string{}
	for g, users := range d.x.Wanted {
		for _, name := range users {
			if _, had := slices.BinarySearch(d.given[g], name); !had {
				all[whose(g)] = append(all[whose(g)], name)
			}
		}
	}
	return all
}

// whose is a grant without the role: for whom, and where.
func whose(g reconcile.Grant) reconcile.Grant {
	return reconcile.Grant{For: g.For, Subject: g.Subject, Namespace: g.Namespace}
}

// lossOf says what an inventory takes from a user, under any protected name, as a verb with its preposition, or "". A loss that
// comes with a label is not the inventory's doing, see earlyLossOf.
func lossOf(d *draft, name string) string {
	x := d.x
	if isUser(x, name) && !x.Active[name] {
		return "remove"
	}
	had, has := map[place]bool{}, map[place]bool{}
	names := append(x.ProtectedBefore(name), name)
	for g, users := range d.given {
		mine := func(user string) bool { return slices.Contains(names, user) && !unselected(x, g, name) }
		if slices.ContainsFunc(users, mine) {
			had[placeOf(g)] = true
		}
	}
	for g := range x.Wanted {
		if x.Wants(g, name) {
			has[placeOf(g)] = true
		}
	}
	return firstLoss(had, has)
}

// unselected reports whether a user loses g for the labels of its namespace alone.
func unselected(x *index.Index, g reconcile.Grant, name string) bool {
	return gets(x, g, name) && x.Unselected(g)
}

// gets reports whether g is for a user, or for a group of theirs.
func gets(x *index.Index, g reconcile.Grant, name string) bool {
	if g.For == reconcile.ForGroup {
		return slices.Contains(x.Users[name].Groups, g.Subject)
	}
	return g.Subject == name
}

// earlyLossOf says what a draft takes from a user to whom the inventory leaves it: a namespace has lost its label, what takes the
// place of a role does not come in this run, or the certificate would have fewer groups. All that may be for what stands at the
// user's own paths in Vault, or the doing of somebody who may label one namespace.
func earlyLossOf(d *draft, name string) string {
	had, has := map[place]bool{}, map[place]bool{}
	for _, p := range d.parts {
		if p.wrongRole() && !p.wanted || d.x.Closed(p.grant) {
			continue // whoever may delete a namespace holds nobody's steps with it
		}
		at := placeOf(p.grant)
		if slices.Contains(p.stay, d.x.Subject(name)) {
			has[at] = true
		}
		for _, e := range p.edits {
			comes := e.adds && e.runs() && !e.waits // a certificate that it waits for may not come
			stays := !e.adds && !e.runs()
			switch {
			case e.user() != name:
			case comes || stays:
				has[at] = true
			case !e.adds && d.x.Counts(p.grant, e.subject) && !p.wrongRole():
				had[at] = true
			}
		}
	}
	if loss := firstLoss(had, has); loss != "" {
		return loss
	}
	s := d.verdicts[name].step
	if s != nil && s.Action == reconcile.Reissue && s.Held == "" && slices.Contains(s.Reasons, reconcile.GroupsChanged) &&
		slices.ContainsFunc(s.Issue.Record.Current().Groups, func(g string) bool { return !slices.Contains(s.Issue.Spec.Groups, g) }) {
		return "take a group from"
	}
	return ""
}

// firstLoss is the first place that is not there any more, nor the same role everywhere: cluster-wide ones come first.
func firstLoss(had, has map[place]bool) string {
	lost := slices.SortedFunc(maps.Keys(had), func(a, b place) int {
		return cmp.Or(cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.kind, b.kind), cmp.Compare(a.role, b.role))
	})
	for _, p := range lost {
		if !has[p] && (p.kind != reconcile.ClusterRole || !has[place{role: p.role}]) {
			return "take " + reconcile.Grant{Namespace: p.namespace, RoleKind: p.kind, Role: p.role}.String() + " from"
		}
	}
	return ""
}
