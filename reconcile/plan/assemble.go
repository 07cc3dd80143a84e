package plan

import (
	"slices"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/plan/index"
)

// assembler makes steps of parts. The edits say which subjects go, come and are held. A binding whose role is not the one in its
// name goes as a whole.
type assembler struct {
	x        *index.Index
	verdicts map[string]verdict
	batches  map[string]int // by user, see inBatches
}

// steps writes a part in at most one step before the certificates of each batch and one after them, and in one more for each
// reason that holds some of its subjects.
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
	unbind.Hold(a.x.Rules.Policy.Forbids(reconcile.Unbind), reconcile.ByPolicy)
	steps := []reconcile.Step{unbind}
	if p.wanted {
		for _, s := range a.wanted(&part{grant: p.grant, wanted: true, edits: p.edits, reason: why}) {
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
		s.Binding.Successor = a.x.Successor[p.grant.Subject]
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
// what takes their place, even if they seem to have drifted: a role change that was cut off looks the same. For what certsync
// never gave to an old name nobody waits.
func (a assembler) unbindStage(p *part) reconcile.Stage {
	switch {
	case p.grant.For == reconcile.ForGroup:
	case slices.ContainsFunc(p.edits, func(e *edit) bool { return e.successor != "" }):
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

// maxOthers is how many subjects who are nobody of this owner's a step lists. Whoever may write a binding can put a
// thousand there.
const maxOthers = 20

// names is how subjects appear in a plan: all users of this owner, and the first of others.
func (a assembler) names(subjects []reconcile.Subject) []string {
	var out []string
	others := 0
	for _, s := range subjects {
		if s != reconcile.UserSubject(s.Name) || !a.x.Knows(s.Person()) {
			if others++; others > maxOthers {
				continue
			}
		}
		out = append(out, s.String())
	}
	if more := others - maxOthers; more > 0 {
		out = append(out, moreText(more))
	}
	return out
}
