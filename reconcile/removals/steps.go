package removals

import (
	"fmt"
	"slices"

	"github.com/certsync/certsync/reconcile"
)

// steps makes at most one step that runs of each binding, and one more for each reason that holds some of its subjects.
func (d *draft) steps() []reconcile.Step {
	var all []reconcile.Step
	for _, p := range d.parts {
		if p.wrongRole() {
			all = append(all, d.step(p, reconcile.Unbind, []reconcile.Reason{reconcile.Drifted}, p.Subjects, nil))
			continue
		}
		type cause struct {
			held string
			by   reconcile.HoldCause
		}
		var causes []cause
		by := map[cause][]*removal{}
		for _, r := range p.removals {
			c := cause{r.held, r.by}
			if by[c] == nil {
				causes = append(causes, c)
			}
			by[c] = append(by[c], r)
		}
		for _, c := range causes {
			s := d.takeOut(p, by[c])
			s.Hold(c.held, c.by)
			all = append(all, s)
		}
	}
	return all
}

// takeOut takes subjects out of a binding, and deletes the binding if it would have none left.
func (d *draft) takeOut(p *part, removals []*removal) reconcile.Step {
	var reasons []reconcile.Reason
	gone := map[reconcile.Subject]bool{}
	var goes []reconcile.Subject
	for _, r := range removals {
		gone[r.subject] = true
		goes = append(goes, r.subject)
		if !slices.Contains(reasons, r.reason) {
			reasons = append(reasons, r.reason)
		}
	}
	slices.Sort(reasons)
	left := slices.DeleteFunc(slices.Clone(p.Subjects), func(s reconcile.Subject) bool { return gone[s] })
	if len(left) == 0 {
		return d.step(p, reconcile.Unbind, reasons, goes, nil)
	}
	return d.step(p, reconcile.Update, reasons, goes, left)
}

func (d *draft) step(p *part, a reconcile.Action, reasons []reconcile.Reason, goes, left []reconcile.Subject) reconcile.Step {
	s := reconcile.Step{Action: a, Reason: reasons[0], Reasons: reasons, Stage: reconcile.StageUnbind}
	username := p.grant.Subject
	for _, subject := range goes {
		if subject.Person() == p.grant.Subject {
			username = subject.Name
		}
	}
	if p.grant.For == reconcile.ForGroup || a == reconcile.Update {
		s.Detail = &reconcile.Detail{Remove: d.names(p, goes)}
	}
	return s.On(p.grant, username, reconcile.BindingWrite{Object: p.Binding, Subjects: left})
}

// maxOthers is how many subjects of a RoleBinding a step lists who are nobody of the inventory. A tenant can put a thousand
// there.
const maxOthers = 20

// names is how subjects appear in a plan.
func (d *draft) names(p *part, subjects []reconcile.Subject) []string {
	var out []string
	others := 0
	for _, s := range subjects {
		if !p.wide() && !d.known[s.Person()] {
			if others++; others > maxOthers {
				continue
			}
		}
		out = append(out, s.String())
	}
	if more := others - maxOthers; more > 0 {
		out = append(out, fmt.Sprintf("and %d more", more))
	}
	return out
}
