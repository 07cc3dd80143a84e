package plan

import (
	"fmt"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/plan/index"
)

// draft is a plan before its steps are made: the finished list of what it would do, in which guards and policies hold what must
// not be done.
type draft struct {
	x           *index.Index
	verdicts    map[string]verdict // by user
	parts       []*part
	given, gone map[reconcile.Grant][]string // see givenGrants
	batches     map[string]int               // by user, see inBatches
}

// taken calls do for each edit that takes a subject out of a binding, and is not held.
func (d *draft) taken(do func(p *part, e *edit)) {
	for _, p := range d.parts {
		for _, e := range p.edits {
			if !e.adds && e.runs() {
				do(p, e)
			}
		}
	}
}

// filter finds what must not be done. It returns why the plan is refused, or nothing if it only holds, and what holds it. All
// guards look before any of them holds, so that each violation is told at once.
type filter interface {
	find(*draft) (refusals []string, hold func())
}

// hold holds what the policy does not allow, and then what guards forbid, which do not count what the policy holds.
func (d *draft) hold() (refusals []string) {
	guards := []filter{noUsers{}}
	for _, name := range d.x.Protected() {
		guards = append(guards, protection{name})
	}
	guards = append(guards, removalLimit{d.x.Rules.MaxRemovals})
	for _, filters := range [][]filter{{policy{d.x.Rules.Policy}}, guards} {
		drop(d)
		var holds []func()
		for _, f := range filters {
			why, hold := f.find(d)
			refusals = append(refusals, why...)
			if hold != nil {
				holds = append(holds, hold)
			}
		}
		for _, hold := range holds {
			hold()
		}
	}
	return refusals
}

// policy holds what --policy does not allow. It refuses nothing.
type policy struct{ reconcile.Policy }

func (f policy) find(d *draft) ([]string, func()) { return nil, func() { f.hold(d) } }

func (f policy) hold(d *draft) {
	for _, v := range d.verdicts {
		if s := v.step; s != nil {
			if s.Leave != nil && !f.Takes() {
				s.Held, s.HeldBy = "", reconcile.NotHeld // not even a conflict matters
			}
			s.Hold(f.Forbids(s.Action), reconcile.ByPolicy)
		}
	}
	for _, p := range d.parts {
		exists := p.observed != nil && !p.wrongRole()
		for _, e := range p.edits {
			switch {
			case !e.adds && !f.Takes():
				e.hold(f.Forbids(reconcile.Unbind), reconcile.ByPolicy)
			case e.adds && exists:
				e.hold(f.Forbids(reconcile.Update), reconcile.ByPolicy)
			}
		}
	}
}

// drop drops what bindings would add of users who have no credential and get none. It returns the users who do not get all that
// they should have.
func drop(d *draft) (lacks map[string]bool) {
	lacks = map[string]bool{}
	for _, p := range d.parts {
		for _, e := range p.edits {
			if !e.adds {
				continue
			}
			v := d.verdicts[e.user()]
			e.dropped = v.blocked || v.step != nil && v.step.Issue != nil && v.step.Held != "" && !v.stays
			lacks[e.user()] = lacks[e.user()] || !e.runs()
		}
	}
	return lacks
}

// drag holds the steps that need something that is held. This table says which, and where the code for it is:
//
//	held                                        | waits
//	a user's certificate, and they have none    | what bindings would add of them: their own step says why (drop)
//	what the new name of somebody should get    | what their old name loses of the same, and its credential (here)
//	a certificate that was denied               | the same, and nothing is said of it but the note on the denial (here)
//	the end of a binding with another role      | all that comes into its name (assembler.wrongRole)
//	a new role in place of an old one           | the old role: only the run itself can tell (package apply)
func drag(d *draft) {
	lacks := drop(d)
	wait := func(old, now string) (why string, denied bool) {
		v := d.verdicts[now]
		without := !v.stays && (v.issues() == "" || v.step.Held != "")
		if now == "" || !lacks[now] && !without {
			return "", false
		}
		return fmt.Sprintf("%s keeps the access until the user's new name, %s, has it", old, now), v.denied
	}
	d.taken(func(_ *part, e *edit) {
		why, denied := wait(e.user(), e.successor)
		e.hold(why, reconcile.ByWait)
		e.dropped = denied
	})
	for name, v := range d.verdicts {
		if v.step == nil || v.step.Leave == nil || v.step.Held != "" {
			continue
		}
		why, denied := wait(name, v.step.Leave.Successor)
		v.step.Hold(why, reconcile.ByWait)
		if denied {
			v.step = nil
			d.verdicts[name] = v
		}
	}
}
