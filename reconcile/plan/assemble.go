package plan

import (
	"maps"
	"slices"

	"github.com/certsync/certsync/reconcile"
)

// assembler makes steps of parts. The edits say which subjects go, come and are held. A binding whose role is not the one in its
// name goes as a whole.
type assembler struct {
	x        *Index
	verdicts map[string]verdict
}

// steps writes a part in at most two steps before and after the certificates are issued, and in one more for each reason that
// holds some of its subjects.
func (a assembler) steps(p *part) []reconcile.Step {
	switch {
	case p.wrongRole():
		return a.wrongRole(p)
	case !p.wanted:
		return a.unwanted(p)
	}
	return a.wanted(p)
}

// wrongRole deletes a binding whose role is not the one in its name. If the binding is wanted, it is then created again.
func (a assembler) wrongRole(p *part) []reconcile.Step {
	at, why := reconcile.StageUnbind, reconcile.Drifted // its name is needed
	if !p.wanted {
		at, why = a.unbindStage(p), p.reason
	}
	unbind := a.unbind(p, why, at)
	unbind.Hold(a.x.rules.Policy.Forbids(reconcile.Unbind), reconcile.ByPolicy)
	steps := []reconcile.Step{unbind}
	if p.wanted {
		for _, s := range a.wanted(&part{grant: p.grant, wanted: true, edits: p.edits}) {
			s.Hold(unbind.Held, unbind.HeldBy) // nothing can be made in its place
			steps = append(steps, s)
		}
	}
	return steps
}

// unwanted deletes a binding, or takes those out of it who need not stay.
func (a assembler) unwanted(p *part) []reconcile.Step {
	var stay []reconcile.Subject
	held := -1
	for i, e := range p.edits {
		if !e.runs() {
			stay = append(stay, e.subject)
		}
		// A guard refuses the plan, so it is told before what holds one user alone.
		if e.held != "" && !e.dropped && (held < 0 || e.by == reconcile.ByGuard && p.edits[held].by != reconcile.ByGuard) {
			held = i
		}
	}
	if len(stay) > 0 && len(stay) < len(p.edits) {
		return append(a.held(p), a.edited(p, p.reason, reconcile.StageChange, p.running(false, false), stay))
	}
	s := a.unbind(p, p.reason, a.unbindStage(p))
	if s.Stage == reconcile.StageRename {
		s.Binding.Successor = a.x.successor[p.grant.Subject]
	}
	switch {
	case len(stay) == 0:
	case held < 0:
		return nil // a note says why
	default:
		s.Hold(p.edits[held].held, p.edits[held].by)
	}
	return []reconcile.Step{s}
}

// unbindStage: those of people who left go first, those of old names when the new ones have what they need, and others after
// what takes their place, even if they seem to have drifted: a role change that was cut off looks the same.
func (a assembler) unbindStage(p *part) reconcile.Stage {
	switch {
	case p.grant.For == reconcile.ForGroup:
	case !p.wrongRole() && a.x.inherits(p.grant.Subject, p.grant):
		return reconcile.StageRename
	case !a.x.Active[p.grant.Subject]:
		return reconcile.StageUnbind
	}
	return reconcile.StageRetire
}

func (a assembler) unbind(p *part, why reconcile.Reason, at reconcile.Stage) reconcile.Step {
	s := reconcile.Step{Action: reconcile.Unbind, Reasons: []reconcile.Reason{why}, Stage: at}.On(p.grant, a.x.Username(p.grant.Subject), reconcile.BindingWrite{Object: p.observed.Binding})
	if p.grant.For == reconcile.ForGroup && len(p.observed.Subjects) > 0 {
		s.Detail = &reconcile.Detail{Remove: a.names(p.observed.Subjects)}
	}
	return s
}

// wanted makes a binding what it should be.
func (a assembler) wanted(p *part) []reconcile.Step {
	exists := p.observed != nil
	takes, now, later := p.running(false, false), p.running(true, false), p.running(true, true)
	swaps := a.swaps(&takes, later)
	first := slices.Clone(p.stay)
	for _, e := range p.edits {
		if !e.adds && !e.runs() {
			first = append(first, e.subject)
		}
	}
	old := reconcile.UserSubjects(swapped(swaps))
	first = slices.Concat(first, subjectsOf(now), old)
	steps := a.held(p)
	relabel := exists && !p.observed.Labelled(a.x.Inventory.Owner)
	switch {
	case len(takes)+len(now) == 0 && !(exists && (relabel || p.anew) && len(first) > 0):
		if exists && len(first)+len(later) == 0 {
			// Somebody emptied it, and whom it was for is blocked.
			steps = append(steps, a.unbind(p, reconcile.Drifted, reconcile.StageRetire))
		}
	case len(first) > 0:
		why := a.changeReason(p, takes, now, later)
		if relabel && len(takes)+len(now) == 0 {
			why = reconcile.LabelsMissing
		}
		s := a.edited(p, why, reconcile.StageChange, slices.Concat(now, takes), first)
		steps, exists = append(steps, s), true
	case exists:
		// No binding is kept without subjects: those who come later find none and make it anew.
		steps = append(steps, a.unbind(p, takes[0].reason, reconcile.StageRetire))
		exists = false
	}
	if len(later) > 0 {
		last := slices.DeleteFunc(slices.Concat(first, subjectsOf(later)), func(s reconcile.Subject) bool {
			return slices.Contains(old, s)
		})
		s := a.later(p, exists, a.changeReason(p, takes, now, later), later, last, swaps)
		steps = append(steps, s)
	}
	return steps
}

// running lists the edits of one kind that are carried out.
func (p *part) running(adds, waits bool) []*edit {
	return slices.DeleteFunc(slices.Clone(p.edits), func(e *edit) bool { return !e.runs() || e.adds != adds || e.waits != waits })
}

func subjectsOf(edits []*edit) []reconcile.Subject {
	var all []reconcile.Subject
	for _, e := range edits {
		all = append(all, e.subject)
	}
	return all
}

// swaps takes those edits out of takes whose person comes later under another name: one write exchanges the names, and leaves
// the old one where it is if the new one has no credential by then. An earlier epoch of the old name waits for nothing.
func (a assembler) swaps(takes *[]*edit, later []*edit) map[string][]string {
	swaps := map[string][]string{}
	*takes = slices.DeleteFunc(*takes, func(e *edit) bool {
		now := a.x.successor[e.user()]
		if e.user() == "" || now == "" || e.subject != a.x.subject(e.user()) || !slices.ContainsFunc(later, func(l *edit) bool { return l.user() == now }) {
			return false
		}
		swaps[now] = append(swaps[now], e.subject.Name)
		return true
	})
	return swaps
}

// swapped lists the old names, sorted.
func swapped(swaps map[string][]string) []string {
	return reconcile.SortedSet(slices.Concat(slices.Collect(maps.Values(swaps))...))
}

// edited is a step that makes the edits of a binding at a stage; subjects are those that it has afterwards.
func (a assembler) edited(p *part, why reconcile.Reason, at reconcile.Stage, edits []*edit, subjects []reconcile.Subject) reconcile.Step {
	s := reconcile.Step{Action: reconcile.Update, Reasons: []reconcile.Reason{why}, Stage: at}
	w := reconcile.BindingWrite{Object: p.binding(a.x.Inventory.Owner), Subjects: subjects}
	if p.observed != nil && !p.wrongRole() {
		w.Object, w.Anew = p.observed.Binding, p.anew
	} else {
		s.Action = reconcile.Bind
	}
	if p.grant.For == reconcile.ForGroup || s.Action == reconcile.Update {
		s.Detail = &reconcile.Detail{}
		for _, e := range edits {
			if e.adds {
				s.Detail.Add = append(s.Detail.Add, e.subject.Name)
			}
		}
		s.Detail.Remove = a.names(subjectsOf(slices.DeleteFunc(slices.Clone(edits), func(e *edit) bool { return e.adds })))
	}
	return s.On(p.grant, a.x.Username(p.grant.Subject), w)
}

// later is the step that adds those whose certificate this run gets. For a binding that the run makes first, the executor knows
// what came of that.
func (a assembler) later(p *part, exists bool, why reconcile.Reason, later []*edit, subjects []reconcile.Subject, swaps map[string][]string) reconcile.Step {
	s := a.edited(p, why, reconcile.StageGrant, later, subjects)
	s.Binding.Swaps = swaps
	for _, e := range later {
		s.Binding.WaitsFor = append(s.Binding.WaitsFor, e.user())
	}
	s.Action = reconcile.Update
	if !exists {
		s.Action = reconcile.Bind
		if p.grant.For == reconcile.ForUser {
			s.Detail = nil
		}
	}
	if exists && s.Detail == nil {
		s.Detail = &reconcile.Detail{Add: reconcile.SubjectNames(subjectsOf(later))}
	}
	if s.Detail != nil {
		s.Detail.Remove = append(s.Detail.Remove, swapped(swaps)...)
	}
	if !exists && p.observed != nil { // it is deleted first
		s.Binding.Object, s.Binding.Anew = p.binding(a.x.Inventory.Owner), false
	}
	return s
}

// held shows which subjects of a binding stay although they should not, or do not come: a step for each reason.
func (a assembler) held(p *part) []reconcile.Step {
	var steps []reconcile.Step
	type reason struct {
		held  string
		by    reconcile.HoldCause
		waits bool
	}
	groups := map[reason][]*edit{}
	var order []reason
	for _, e := range p.edits {
		if e.held == "" || e.dropped {
			continue
		}
		r := reason{e.held, e.by, e.waits}
		if groups[r] == nil {
			order = append(order, r)
		}
		groups[r] = append(groups[r], e)
	}
	for _, r := range order {
		edits, at := groups[r], reconcile.StageChange
		why := edits[0].reason
		if edits[0].adds {
			why = a.changeReason(p, nil, edits, nil)
		}
		var subjects []reconcile.Subject
		if p.observed != nil {
			subjects = slices.Clone(p.observed.Subjects)
		}
		for _, e := range edits {
			if e.adds {
				subjects = append(subjects, e.subject)
			}
		}
		if r.waits {
			at = reconcile.StageGrant
		}
		s := a.edited(p, why, at, edits, subjects)
		s.Hold(r.held, r.by)
		steps = append(steps, s)
	}
	return steps
}

// maxStrangers is how many subjects who are nobody of this owner's a step lists. Whoever may write a binding can put a
// thousand there.
const maxStrangers = 20

// names is how subjects appear in a plan: all users of this owner, and the first of others.
func (a assembler) names(subjects []reconcile.Subject) []string {
	var out []string
	strangers := 0
	for _, s := range subjects {
		if s != reconcile.UserSubject(s.Name) || !a.x.knows(s.Person()) {
			if strangers++; strangers > maxStrangers {
				continue
			}
		}
		out = append(out, s.String())
	}
	if more := strangers - maxStrangers; more > 0 {
		out = append(out, moreText(more))
	}
	return out
}
