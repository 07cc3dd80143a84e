package reconcile

import (
	"fmt"
	"slices"
)

// HoldCause is why a step is kept from running.
type HoldCause int

const (
	// NotHeld is the cause of a step that runs.
	NotHeld HoldCause = iota
	// ByConflict: something stands in the way of this step alone, such as a secret that is not certsync's.
	ByConflict
	// ByGuard: the step would take away what must not be taken away. Plan.Guards says so too.
	ByGuard
	// ByPolicy: --policy does not allow the step. That neither refuses a run nor fails it.
	ByPolicy
	// ByWait: another step has to be done first. Step.Held says why it is not.
	ByWait
)

// String is the name of what holds a step: "conflict", "guard", "policy" or "wait"; "" for what is not held.
func (h HoldCause) String() string {
	switch h {
	case ByConflict:
		return "conflict"
	case ByGuard:
		return "guard"
	case ByPolicy:
		return "policy"
	case ByWait:
		return "wait"
	}
	return ""
}

// MarshalText gives the name in JSON.
func (h HoldCause) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads the name in JSON.
func (h *HoldCause) UnmarshalText(text []byte) error {
	for _, cause := range []HoldCause{ByConflict, ByGuard, ByPolicy, ByWait} {
		if cause.String() == string(text) {
			*h = cause
			return nil
		}
	}
	return fmt.Errorf("%q holds no step", text)
}

// Held lists the steps that are kept from running, but for those that the policy holds, see HeldByPolicy.
func (p Plan) Held() []Step {
	return p.which(func(s Step) bool { return s.Held != "" && s.HeldBy != ByPolicy })
}

// HeldByGuard lists the steps of guards, which refuse the plan unless --hold skips them.
func (p Plan) HeldByGuard() []Step {
	return p.which(func(s Step) bool { return s.HeldBy == ByGuard })
}

// Skipped lists the steps that apply skips in any case: those that a conflict holds, and those that wait for another step.
func (p Plan) Skipped() []Step {
	return p.which(func(s Step) bool { return s.HeldBy == ByConflict || s.HeldBy == ByWait })
}

// HeldByPolicy lists the steps that --policy keeps from running.
func (p Plan) HeldByPolicy() []Step {
	return p.which(func(s Step) bool { return s.HeldBy == ByPolicy })
}

func (p Plan) which(is func(Step) bool) []Step {
	return slices.DeleteFunc(slices.Clone(p.Steps), func(s Step) bool { return !is(s) })
}

// Hold holds a step for why, unless that is "" or it is held already.
func (s *Step) Hold(why string, by HoldCause) {
	if why != "" && s.Held == "" {
		s.Held, s.HeldBy = why, by
	}
}
