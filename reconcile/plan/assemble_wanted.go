package plan

import (
	"maps"
	"slices"

	"github.com/certsync/certsync/reconcile"
)

// writing makes the steps of a wanted binding, in the order of the run.
type writing struct {
	assembler
	*part
	// swaps has old names by the new one. One write exchanges them.
	swaps map[string][]string
	steps []reconcile.Step
	// exists, subjects and waited are what the binding is after these steps, and who of its subjects gets a certificate.
	exists   bool
	subjects []reconcile.Subject
	waited   []string
}

// batchEdits are the edits of one batch that are carried out: subjects that go, come at once, and come after their certificate.
type batchEdits struct{ takes, now, later []*edit }

// wanted makes a binding what it should be: what is in no batch first, then what is in each.
func (a assembler) wanted(p *part) []reconcile.Step {
	takes, later := p.running(false, false), p.running(true, true)
	w := &writing{assembler: a, part: p, swaps: a.swaps(&takes, later), steps: a.held(p), exists: p.observed != nil}
	batches := map[int]*batchEdits{0: {now: p.running(true, false)}}
	of := func(e *edit) *batchEdits {
		b := a.batchOf(e)
		if batches[b] == nil {
			batches[b] = &batchEdits{}
		}
		return batches[b]
	}
	w.subjects = slices.Clone(p.stay)
	for _, e := range p.edits {
		if !e.adds && !e.runs() {
			w.subjects = append(w.subjects, e.subject)
		}
	}
	w.subjects = slices.Concat(w.subjects, subjectsOf(batches[0].now), reconcile.UserSubjects(swapped(w.swaps)))
	for _, e := range takes {
		b := of(e)
		b.takes = append(b.takes, e)
		if b != batches[0] {
			w.subjects = append(w.subjects, e.subject)
		}
	}
	for _, e := range later {
		b := of(e)
		b.later = append(b.later, e)
	}
	for _, n := range slices.Sorted(maps.Keys(batches)) {
		if n > 0 {
			w.subjects = minus(w.subjects, subjectsOf(batches[n].takes))
		}
		w.before(n, *batches[n], len(later) > 0)
		w.after(n, *batches[n])
	}
	return w.steps
}

// before adds the step that comes before the certificates of a batch, if there is something to do.
func (w *writing) before(batch int, edits batchEdits, others bool) {
	now, takes := edits.now, edits.takes
	relabel := batch == 0 && w.exists && !w.observed.Labelled(w.x.Inventory.Owner)
	switch {
	case len(takes)+len(now) == 0 && !(w.exists && (relabel || w.anew && batch == 0) && len(w.subjects) > 0):
		if w.exists && len(w.subjects) == 0 && !others {
			// Somebody emptied it, and whom it was for is blocked.
			w.add(batch, w.unbind(w.part, reconcile.Drifted, reconcile.StageRetire))
		}
	case len(w.subjects) > 0:
		why := w.changeReason(w.part, takes, now, edits.later)
		if relabel && len(takes)+len(now) == 0 {
			why = reconcile.LabelsMissing
		}
		w.add(batch, w.edited(w.part, why, reconcile.StageChange, slices.Concat(now, takes), w.subjects))
		w.exists = true
	case w.exists:
		// No binding is kept without subjects: those who come later find none and make it anew.
		w.add(batch, w.unbind(w.part, takes[0].reason, reconcile.StageRetire))
		w.exists = false
	}
}

// after adds the step that gives a binding to those who get their certificate in a batch. If the run has made the binding, the
// executor knows what came of that.
func (w *writing) after(batch int, edits batchEdits) {
	if len(edits.later) == 0 {
		return
	}
	var users, old []string
	for _, e := range edits.later {
		users = append(users, e.user())
		old = append(old, w.swaps[e.user()]...)
	}
	slices.Sort(old)
	w.subjects = minus(slices.Concat(w.subjects, subjectsOf(edits.later)), reconcile.UserSubjects(old))
	s := w.edited(w.part, w.changeReason(w.part, edits.takes, edits.now, edits.later), reconcile.StageGrant, edits.later, w.subjects)
	s.Binding.WaitsFor = users
	s.Action = reconcile.Update
	if !w.exists {
		s.Action = reconcile.Bind
		if w.grant.For == reconcile.ForUser {
			s.Detail = nil
		}
	}
	if w.exists && s.Detail == nil {
		s.Detail = &reconcile.Detail{Add: reconcile.SubjectNames(subjectsOf(edits.later))}
	}
	if s.Detail != nil {
		s.Detail.Remove = append(s.Detail.Remove, old...)
	}
	if !w.exists && w.observed != nil { // it is deleted first
		s.Binding.Object, s.Binding.Anew = w.binding(w.x.Inventory.Owner), false
	}
	w.add(batch, s)
	w.exists, w.waited = true, slices.Concat(w.waited, users)
}

func (w *writing) add(batch int, s reconcile.Step) {
	s.Batch, s.Binding.Waited, s.Binding.Swaps = batch, w.waited, w.swaps
	w.steps = append(w.steps, s)
}

// minus is a list without some of its subjects.
func minus(subjects, without []reconcile.Subject) []reconcile.Subject {
	goes := map[reconcile.Subject]bool{}
	for _, s := range without {
		goes[s] = true
	}
	return slices.DeleteFunc(slices.Clone(subjects), func(s reconcile.Subject) bool { return goes[s] })
}

// swaps takes those edits out of takes whose person comes later under another name: one write exchanges the names, and leaves
// the old one where it is if the new one has no credential by then. An earlier epoch of the old name waits for nothing.
func (a assembler) swaps(takes *[]*edit, later []*edit) map[string][]string {
	swaps := map[string][]string{}
	*takes = slices.DeleteFunc(*takes, func(e *edit) bool {
		now := a.x.Successor[e.user()]
		if e.user() == "" || now == "" || a.x.RevokesFormer(e.user()) || e.subject != a.x.Subject(e.user()) || !slices.ContainsFunc(later, func(l *edit) bool { return l.user() == now }) {
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
