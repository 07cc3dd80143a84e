package reconcile

import "slices"

// hold is why a step is kept from running.
type hold int

const (
	notHeld    hold = iota
	byConflict      // something stands in its way that is not certsync's
	byGuard         // it would take away what must not be taken away; Plan.guards says so too if that refuses the plan
	byPolicy        // --policy; neither refuses a run nor fails it
	byWait          // another step has to be done first; its Held says why it is not
	byDenial        // the same, but it was denied: a note and no step
)

// String is the name of what holds a step: "conflict", "guard", "policy" or "wait"; "" for what is not held.
func (h hold) String() string {
	switch h {
	case byConflict:
		return "conflict"
	case byGuard:
		return "guard"
	case byPolicy:
		return "policy"
	case byWait, byDenial:
		return "wait"
	}
	return ""
}

// Held lists the steps that are kept from running, but for those that the policy holds, see HeldByPolicy.
func (p Plan) Held() []Step {
	return p.which(func(s Step) bool { return s.Held != "" && s.heldBy != byPolicy })
}

// HeldByGuard lists the steps of a guard that refuses the plan, unless --hold skips them.
func (p Plan) HeldByGuard() []Step {
	return p.which(func(s Step) bool { return s.heldBy == byGuard && len(p.guards) > 0 })
}

// Skipped lists the steps that apply skips in any case: those that a conflict holds, those that wait for another step,
// and those of a guard that refuses nothing, see differ.guard.
func (p Plan) Skipped() []Step {
	return p.which(func(s Step) bool {
		return s.heldBy == byConflict || s.heldBy == byWait || s.heldBy == byGuard && len(p.guards) == 0
	})
}

// heldBack reports whether a guard or the policy holds a step. The next run has to count again what it takes away. A
// conflict does not: whoever may write one path could otherwise have every correction of drift refused.
func (p Plan) heldBack() bool {
	return slices.ContainsFunc(p.Steps, func(s Step) bool { return s.heldBy == byGuard || s.heldBy == byPolicy })
}

// HeldByPolicy lists the steps that --policy keeps from running.
func (p Plan) HeldByPolicy() []Step {
	return p.which(func(s Step) bool { return s.heldBy == byPolicy })
}

func (p Plan) which(is func(Step) bool) []Step {
	return slices.DeleteFunc(slices.Clone(p.Steps), func(s Step) bool { return !is(s) })
}

// hold holds a step for why, unless that is "" or it is held already.
func (s *Step) hold(why string, by hold) {
	if why != "" && s.Held == "" {
		s.Held, s.heldBy = why, by
	}
}
