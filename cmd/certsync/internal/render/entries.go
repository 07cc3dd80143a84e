package render

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/certsync/certsync/reconcile"
)

// A plan has a step for each binding and each certificate. People read who gets what: steps for which one line does stand
// in one, and whoever gets the same has one entry groupBy. Text and Markdown are made of the same entries; what differs
// is how they quote a name.

// quoter makes a name of the inventory or the cluster safe to stand in a text.
type quoter func(string) string

// entry is what happens to people, or to a group: all the names to which the same happens, sorted.
type entry struct {
	group   bool
	names   []string
	changes []change
}

// change is one line of an entry: what is done, to one or more objects.
type change struct {
	action                        reconcile.Action
	reasons                       []reconcile.Reason
	objects                       []string // each as object names it
	add, remove                   []string // subjects of each of the objects, but for those who are told of otherwise
	unlistedAdds, unlistedRemoves int      // how many those are
	powerful                      string   // why it makes as good as cluster-admin, or ""
}

// entries are all steps of a plan that will run, people first, then groups, each by name.
func entries(plan reconcile.Plan, quote quoter) []entry {
	run := stepsToRun(plan)
	mentioned := mentionedBy(run)
	var all []entry
	for _, group := range []bool{false, true} {
		nameOf := func(s reconcile.Step) string { return s.User }
		if group {
			nameOf = func(s reconcile.Step) string { return s.Group }
		}
		var each []entry
		for _, steps := range groupBy(slices.DeleteFunc(slices.Clone(run), func(s reconcile.Step) bool { return nameOf(s) == "" }), nameOf) {
			each = append(each, entry{group, []string{nameOf(steps[0])}, mentioned.changes(plan, steps, quote)})
		}
		slices.SortFunc(each, func(a, b entry) int { return cmp.Compare(a.names[0], b.names[0]) })
		for _, same := range groupBy(each, func(e entry) string { return fmt.Sprintf("%#v", e.changes) }) {
			e := same[0]
			for _, other := range same[1:] {
				e.names = append(e.names, other.names...)
			}
			all = append(all, e)
		}
	}
	return all
}

// running are the steps that are not held.
func stepsToRun(plan reconcile.Plan) []reconcile.Step {
	return slices.DeleteFunc(slices.Clone(plan.Steps), func(s reconcile.Step) bool { return s.Held != "" })
}

// told is who gets a first certificate in a plan, by user and group, and who is removed: entries of people say so, and
// those of their groups need not name them again.
type mentioned struct {
	issued  map[[2]string]bool
	removed map[string]bool
}

func mentionedBy(run []reconcile.Step) mentioned {
	t := mentioned{map[[2]string]bool{}, map[string]bool{}}
	for _, s := range run {
		switch s.Action {
		case reconcile.Issue:
			for _, g := range s.Detail.Groups {
				t.issued[[2]string{s.User, g}] = true
			}
		case reconcile.Remove:
			t.removed[s.User] = true
		}
	}
	return t
}

// changes are the steps for one name, in as few lines as they take: the two writes of a group's binding are one change,
// so is the same change of several bindings, and so is all that somebody loses who is removed.
func (t mentioned) changes(plan reconcile.Plan, steps []reconcile.Step, quote quoter) []change {
	var each []change
	for _, s := range steps {
		if s.Action == reconcile.Unbind && t.removed[s.User] {
			continue
		}
		c := change{action: s.Action, reasons: s.Reasons, objects: []string{objectText(plan, s, quote)}, powerful: plan.Powerful(s)}
		if s.Detail != nil {
			c.add, c.remove = slices.Clone(s.Detail.Add), slices.Clone(s.Detail.Remove) // which stay the plan's
		}
		each = append(each, c)
	}
	merged := mergeChanges(each, func(c change) string { return fmt.Sprintf("%q %q %q", c.action, c.reasons, c.objects) },
		func(into *change, c change) {
			into.add, into.remove = slices.Concat(into.add, c.add), slices.Concat(into.remove, c.remove)
			into.powerful = cmp.Or(into.powerful, c.powerful)
		})
	for i := range merged {
		t.count(&merged[i], steps[0].Group)
	}
	return mergeChanges(merged, func(c change) string { c.objects = nil; return fmt.Sprintf("%#v", c) },
		func(into *change, c change) { into.objects = append(into.objects, c.objects...) })
}

func mergeChanges(changes []change, key func(change) string, into func(*change, change)) []change {
	var out []change
	for _, same := range groupBy(changes, key) {
		for _, c := range same[1:] {
			into(&same[0], c)
		}
		out = append(out, same[0])
	}
	return out
}

// count unlistedRemoves those subjects to be named who are not told of otherwise. Of a binding that is made for a whole group, the
// inventory tells.
func (t mentioned) count(c *change, group string) {
	slices.Sort(c.add)
	slices.Sort(c.remove)
	all, out := len(c.add), len(c.remove)
	c.add = slices.DeleteFunc(c.add, func(u string) bool { return t.issued[[2]string{u, group}] })
	c.remove = slices.DeleteFunc(c.remove, func(u string) bool { return t.removed[u] })
	if c.action == reconcile.Bind && len(c.add) > maxListed {
		c.add = nil
	}
	c.unlistedAdds, c.unlistedRemoves = all-len(c.add), out-len(c.remove)
}

// why are a change's reasons, with the numbers of those whom it does not name.
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
