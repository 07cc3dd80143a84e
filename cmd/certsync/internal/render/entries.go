package render

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// A plan has one step for each binding and each certificate. Readers want to know each user's changes. So steps that fit one line become
// one change, and users with the same changes share one entry.

// section is the subject of a step: a user, a group or the cluster.
type section int

const (
	people section = iota
	groups
	cluster // none of them: an object of the cluster
)

// nameIn is the name of a step in a section, or "" if the step is not in it.
func nameIn(in section, s reconcile.Step) string {
	switch {
	case in == people:
		return s.User
	case in == groups:
		return s.Group
	case s.User == "" && s.Group == "":
		return s.Object()
	}
	return ""
}

// entry holds the changes for one user, one group or one object, or for several with the same changes.
type entry struct {
	section section
	names   []string // sorted
	changes []change
}

// change is one line of an entry: one action on one or more objects.
type change struct {
	action                        reconcile.Action
	reasons                       []reconcile.Reason
	objects                       []string // as objectText names them
	add, remove                   []string // subjects of each of the objects, without the unlisted ones
	unlistedAdds, unlistedRemoves int
	powerful                      string // why it makes a user as good as cluster-admin, or ""
	why                           inventory.Why
}

// entries returns all steps of a plan that will run: users first, then groups, then the cluster's, each sorted by name.
func entries(plan reconcile.Plan, quote terminal.Quoter) []entry {
	run := stepsToRun(plan)
	mentioned := mentionedBy(run)
	var all []entry
	for _, in := range []section{people, groups, cluster} {
		nameOf := func(s reconcile.Step) string { return nameIn(in, s) }
		var each []entry
		for _, steps := range terminal.GroupBy(slices.DeleteFunc(slices.Clone(run), func(s reconcile.Step) bool { return nameOf(s) == "" }), nameOf) {
			each = append(each, entry{in, []string{nameOf(steps[0])}, mentioned.changes(plan, steps, quote)})
		}
		slices.SortFunc(each, func(a, b entry) int { return cmp.Compare(a.names[0], b.names[0]) })
		for _, same := range terminal.GroupBy(each, func(e entry) string { return fmt.Sprintf("%#v", e.changes) }) {
			e := same[0]
			for _, other := range same[1:] {
				e.names = append(e.names, other.names...)
			}
			all = append(all, e)
		}
	}
	return all
}

// stepsToRun returns the steps that are not held.
func stepsToRun(plan reconcile.Plan) []reconcile.Step {
	return slices.DeleteFunc(slices.Clone(plan.Steps), func(s reconcile.Step) bool { return s.Held != "" })
}

// mentioned holds the users whose own entries say that they are new or removed, by their names in Kubernetes too. The entries of
// their groups only count them.
type mentioned struct {
	issued  map[[2]string]bool // by user and group: the user's first certificate is for that group
	removed map[string]bool
}

func mentionedBy(run []reconcile.Step) mentioned {
	m := mentioned{map[[2]string]bool{}, map[string]bool{}}
	for _, s := range run {
		switch s.Action {
		case reconcile.Issue:
			for _, g := range s.Detail.Groups[:min(len(s.Detail.Groups), maxGroups)] {
				m.issued[[2]string{s.Username, g}] = true
			}
		case reconcile.Remove:
			m.removed[s.User], m.removed[s.Username] = true, true
		}
	}
	return m
}

// changes merges the steps for one name into as few changes as possible:
//
//   - the two writes of a group's binding are one change;
//   - the same change of several bindings is one change;
//   - the bindings of a removed user are part of the removal.
func (m mentioned) changes(plan reconcile.Plan, steps []reconcile.Step, quote terminal.Quoter) []change {
	var each []change
	for _, s := range steps {
		if s.Action == reconcile.Unbind && m.removed[s.User] {
			continue
		}
		c := change{action: s.Action, reasons: s.Reasons, objects: []string{objectText(plan, s, quote)}, powerful: plan.Powerful(s)}
		if s.Why != nil && s.Action != reconcile.Renew { // nobody decides on a renewal
			c.why = *s.Why
		}
		if s.Detail != nil {
			c.add, c.remove = slices.Clone(s.Detail.Add), slices.Clone(s.Detail.Remove) // the plan stays as it is
		}
		each = append(each, c)
	}
	merged := mergeChanges(each, func(c change) string { return fmt.Sprintf("%q %q %q", c.action, c.reasons, c.objects) },
		func(into *change, c change) {
			into.add, into.remove = slices.Concat(into.add, c.add), slices.Concat(into.remove, c.remove)
			into.powerful = cmp.Or(into.powerful, c.powerful)
		})
	for i := range merged {
		m.unlist(&merged[i], steps[0].Group)
	}
	return mergeChanges(merged, func(c change) string { c.objects = nil; return fmt.Sprintf("%#v", c) },
		func(into *change, c change) { into.objects = append(into.objects, c.objects...) })
}

// mergeChanges merges the changes that have the same key, by the function into.
func mergeChanges(changes []change, key func(change) string, into func(*change, change)) []change {
	var out []change
	for _, same := range terminal.GroupBy(changes, key) {
		for _, c := range same[1:] {
			into(&same[0], c)
		}
		out = append(out, same[0])
	}
	return out
}

// unlist counts the subjects that need no name here: mentioned users, and the many members of a new binding. The
// inventory lists those.
func (m mentioned) unlist(c *change, group string) {
	slices.Sort(c.add)
	slices.Sort(c.remove)
	adds, removes := len(c.add), len(c.remove)
	c.add = slices.DeleteFunc(c.add, func(u string) bool { return m.issued[[2]string{u, group}] })
	c.remove = slices.DeleteFunc(c.remove, func(u string) bool { return m.removed[u] })
	if c.action == reconcile.Bind && len(c.add) > terminal.MaxListed {
		c.add = nil
	}
	c.unlistedAdds, c.unlistedRemoves = adds-len(c.add), removes-len(c.remove)
}

// reasonText lists a change's reasons, and counts the subjects that it does not list: members-changed +3.
func (c change) reasonText() string {
	text := joinReasons(c.reasons)
	if c.unlistedAdds > 0 {
		text += fmt.Sprintf(" +%d", c.unlistedAdds)
	}
	if c.unlistedRemoves > 0 {
		text += fmt.Sprintf(" -%d", c.unlistedRemoves)
	}
	return text
}

func joinReasons(reasons []reconcile.Reason) string {
	text := make([]string, len(reasons))
	for i, r := range reasons {
		text[i] = string(r)
	}
	return strings.Join(text, ", ")
}
