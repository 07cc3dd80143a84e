package apply

import (
	"context"
	"fmt"
	"strings"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/rights"
)

// Terms say on which terms a run begins: what it must not do, which lock it takes, and who agrees to it. They are the same with
// Vault (Apply) and without (Removals).
type Terms struct {
	Rules reconcile.Rules
	// Hold skips the steps that a guard holds, and does the rest. Steps that a conflict holds are skipped in any case.
	Hold   bool
	Access reconcile.AccessReviewer
	// Lock is taken before the first write.
	Lock reconcile.Locker
	// LockNamespace is where the owner's Lease is.
	LockNamespace string

	// Consent is asked with the plan before anything is written; an error refuses. It is the place for the question on a terminal.
	// Rules.Expect is compared before, see refusals.
	Consent func(reconcile.Plan) error
	// Unseen says that nobody agrees to one plan in particular (--yes). Consent is then asked under the lock, with the
	// plan that is made there. A tenant who changes objects all the time could otherwise keep every run from beginning.
	Unseen bool
	// Begin is told the plan that is about to be carried out, or held as a whole.
	Begin func(reconcile.Plan)
}

// work is what a run does between taking the lock and giving it up, and what it looks at before.
type work struct {
	executor  *Executor
	plan      func(context.Context) (reconcile.Plan, error)
	permitted func(context.Context, reconcile.Plan) error // that the run has all rights that the plan needs
	execute   func(ctx, lost context.Context, p reconcile.Plan, lock reconcile.Lock) ([]reconcile.Event, error)
}

// Prepared is a run that could begin now: it has a plan that nothing refuses, and the rights that the plan needs.
type Prepared struct {
	Plan reconcile.Plan

	terms *Terms
	work  work
}

// Planned reports whether the plan is whole.
func (p Prepared) Planned() bool { return p.terms != nil }

// prepare plans, and looks whether the run may begin. The plan is there with an error too, if there is one.
func (t *Terms) prepare(ctx context.Context, w work) (Prepared, error) {
	plan, err := w.plan(ctx)
	if err != nil {
		return Prepared{Plan: plan}, err
	}
	p := Prepared{plan, t, w}
	if refused := t.refusals(plan); len(refused) > 0 {
		return p, reconcile.Refused{Violations: refused}
	}
	if plan.HasWork() {
		err = w.permitted(ctx, plan)
	}
	return p, err
}

// Do asks, takes the lock, plans again and executes, see Apply.Do. It is called once.
func (p Prepared) Do(ctx context.Context) (reconcile.Outcome, error) {
	t, plan := p.terms, p.Plan
	switch {
	case !plan.HasWork():
		return t.idle(plan, p.work), nil
	case t.Consent == nil:
		return reconcile.Outcome{Plan: plan}, reconcile.Refused{Violations: []string{"nobody has agreed to the plan"}}
	case t.Lock == nil:
		return reconcile.Outcome{Plan: plan}, reconcile.Refused{Violations: []string{"no lock keeps other runs from writing"}}
	}
	if !t.Unseen {
		if err := t.Consent(plan); err != nil {
			return reconcile.Outcome{Plan: plan}, err
		}
	}
	lock, err := t.Lock.Acquire(ctx)
	if err != nil {
		return reconcile.Outcome{Plan: plan}, err
	}
	defer func() { _ = lock.Release(ctx) }() // if it fails, the lock ends by itself
	lost, cancel := lock.UntilLost(context.WithoutCancel(ctx))
	defer cancel()
	return t.locked(ctx, lost, plan, lock, p.work)
}

// do is a whole run, see Apply.Do.
func (t *Terms) do(ctx context.Context, w work) (reconcile.Outcome, error) {
	p, err := t.prepare(ctx, w)
	if err != nil {
		return reconcile.Outcome{Plan: p.Plan}, err
	}
	return p.Do(ctx)
}

// locked is what happens while nobody else writes.
func (t *Terms) locked(ctx, lost context.Context, first reconcile.Plan, lock reconcile.Lock, w work) (reconcile.Outcome, error) {
	both, cancel := afterwards(ctx, lost, 0)
	defer cancel()
	again, err := w.plan(both)
	if err != nil {
		return reconcile.Outcome{Plan: first}, err
	}
	changed := again.Digest() != first.Digest()
	if changed && !t.Unseen {
		return reconcile.Outcome{Plan: again}, reconcile.Refused{Violations: []string{"the cluster or Vault changed since the plan was shown; plan again"}}
	}
	if refused := t.refusals(again); len(refused) > 0 {
		return reconcile.Outcome{Plan: again}, reconcile.Refused{Violations: refused}
	}
	if !again.HasWork() {
		return t.idle(again, w), nil
	}
	if changed {
		if err := w.permitted(both, again); err != nil {
			return reconcile.Outcome{Plan: again}, err
		}
	}
	if t.Unseen {
		if err := t.Consent(again); err != nil {
			return reconcile.Outcome{Plan: again}, err
		}
	}
	events, err := w.execute(ctx, lost, again, lock)
	return reconcile.Outcome{Plan: again, Events: events}, err
}

// tell calls Begin.
func (t *Terms) tell(p reconcile.Plan) {
	if t.Begin != nil {
		t.Begin(p)
	}
}

// idle is the outcome of a plan without a step that may run. Nothing is written.
func (t *Terms) idle(p reconcile.Plan, w work) reconcile.Outcome {
	if p.Changes() {
		t.tell(p)
	}
	return reconcile.Outcome{Plan: p, Events: w.executor.holdAll(p)}
}

// refusals is why this plan must not be carried out.
func (t *Terms) refusals(p reconcile.Plan) []string {
	refused := p.Refusals()
	if t.Hold {
		refused = p.Forbidden
	}
	if digest := p.Digest(); t.Rules.Expect != "" && p.Changes() && digest != t.Rules.Expect {
		refused = append(refused, fmt.Sprintf("the plan's digest is %s, not the expected %s: the inventory, the cluster, Vault or the flags are different (--expect)",
			digest, t.Rules.Expect))
	}
	return refused
}

// allowed asks Kubernetes whether a plan may have these permissions, and the lock.
func (t *Terms) allowed(ctx context.Context, p reconcile.Plan, wanted []reconcile.Permission) error {
	denied, err := t.Access.Denied(ctx, append(wanted, rights.Lock(p.Owner, t.LockNamespace, p.Leased)...))
	if err != nil {
		return fmt.Errorf("asking what %q may do: %w", t.Rules.Self, err)
	}
	var lacks []string
	hint := "grant it in Kubernetes RBAC to the identity that runs apply"
	for _, d := range denied {
		lacks = append(lacks, d.String())
		switch {
		case rights.IsLease(d) && len(denied) == 1:
			hint = rights.LeaseHint
		case rights.IsLease(d):
			hint += "; but " + rights.LeaseHint
		}
	}
	if len(lacks) > 0 {
		return reconcile.WithHint(fmt.Errorf("%q may not: %s", t.Rules.Self, strings.Join(lacks, "; ")), hint+"; nothing was written")
	}
	return nil
}
