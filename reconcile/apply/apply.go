package apply

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/plan"
)

// MakePlan observes and compares. It is all that `plan` does, and how `apply` begins; it is given readers only.
func MakePlan(ctx context.Context, inv *inventory.Inventory, cluster reconcile.ClusterReader, store reconcile.StoreReader, r reconcile.Rules, now func() time.Time) (reconcile.Plan, error) {
	o, err := reconcile.Observe(ctx, inv.Owner, cluster, store, now)
	if err != nil {
		return reconcile.Plan{}, err
	}
	if o.StateProblem != nil && !r.NewLedger {
		return reconcile.Plan{}, o.StateProblem
	}
	if unknown := r.Unknown(inv, o); unknown != nil {
		return reconcile.Plan{}, unknown
	}
	p := plan.Diff(inv, o, r)
	return p, p.Endpoint.Complete()
}

// Apply makes a cluster and Vault agree with an inventory.
type Apply struct {
	Cluster     reconcile.ClusterReader
	Store       reconcile.StoreReader
	Access      reconcile.AccessReviewer
	StoreAccess reconcile.StoreReviewer
	Executor    *Executor
	Rules       reconcile.Rules
	// Hold skips the steps that a guard holds, and does the rest. Steps that a conflict holds are skipped in any case.
	Hold bool
	// Lock is taken before the first write.
	Lock reconcile.Locker
	// LockNamespace is where the owner's Lease is.
	LockNamespace string

	// Consent is asked with the plan before anything is written; an error refuses. It is the place for --expect and the
	// question on a terminal.
	Consent func(reconcile.Plan) error
	// Unseen says that nobody agrees to one plan in particular (--yes). Consent is then asked under the lock, with the
	// plan that is made there. A tenant who changes objects all the time could otherwise keep every run from beginning.
	Unseen bool
	// Begin is told the plan that is about to be carried out, or held as a whole.
	Begin func(reconcile.Plan)
}

// noteTime is how long the note at the end of a run may take.
const noteTime = 5 * time.Second

// Do observes, plans, asks, takes the lock, observes and plans again, and carries out that second plan. Where somebody
// agreed to the first, the two must be the same. It returns Refused if nothing may be written, Locked while another run
// writes, and any other error if nothing was written for another reason. Steps that failed are no error: they are in the
// Outcome, and the other users' steps were done.
func (a *Apply) Do(ctx context.Context, inv *inventory.Inventory) (reconcile.Outcome, error) {
	plan, err := a.plan(ctx, inv)
	if err != nil {
		return reconcile.Outcome{Plan: plan}, err
	}
	if refused := a.refusals(plan); len(refused) > 0 {
		return reconcile.Outcome{Plan: plan}, reconcile.Refused{Violations: refused}
	}
	if !plan.Runs() {
		return a.idle(plan), nil
	}
	if err := a.permitted(ctx, plan); err != nil {
		return reconcile.Outcome{Plan: plan}, err
	}
	switch {
	case a.Consent == nil:
		return reconcile.Outcome{Plan: plan}, reconcile.Refused{Violations: []string{"nobody was asked for consent"}}
	case a.Lock == nil:
		return reconcile.Outcome{Plan: plan}, reconcile.Refused{Violations: []string{"no lock keeps other runs from writing"}}
	}
	if !a.Unseen {
		if err := a.Consent(plan); err != nil {
			return reconcile.Outcome{Plan: plan}, err
		}
	}
	lock, err := a.Lock.Acquire(ctx)
	if err != nil {
		return reconcile.Outcome{Plan: plan}, err
	}
	defer func() { _ = lock.Release(ctx) }() // if it fails, the lock ends by itself
	lost, cancel := lock.Held(context.WithoutCancel(ctx))
	defer cancel()
	return a.locked(ctx, lost, inv, plan, lock)
}

// locked is what happens while nobody else writes.
func (a *Apply) locked(ctx, lost context.Context, inv *inventory.Inventory, first reconcile.Plan, lock reconcile.Lock) (reconcile.Outcome, error) {
	both, cancel := afterwards(ctx, lost, 0)
	defer cancel()
	again, err := a.plan(both, inv)
	if err != nil {
		return reconcile.Outcome{Plan: first}, err
	}
	changed := again.Digest() != first.Digest()
	if changed && !a.Unseen {
		return reconcile.Outcome{Plan: again}, reconcile.Refused{Violations: []string{"the cluster or Vault changed since the plan was shown; plan again"}}
	}
	if refused := a.refusals(again); len(refused) > 0 {
		return reconcile.Outcome{Plan: again}, reconcile.Refused{Violations: refused}
	}
	if !again.Runs() {
		return a.idle(again), nil
	}
	if changed {
		if err := a.permitted(both, again); err != nil {
			return reconcile.Outcome{Plan: again}, err
		}
	}
	if a.Unseen {
		if err := a.Consent(again); err != nil {
			return reconcile.Outcome{Plan: again}, err
		}
	}
	state, err := a.begin(both, again, lock)
	if err != nil {
		return reconcile.Outcome{Plan: again}, err
	}
	if a.Begin != nil {
		a.Begin(again)
	}
	events := a.Executor.execute(ctx, lost, again)
	a.noteStored(lost, state, again.StateVersion+1, events)
	return reconcile.Outcome{Plan: again, Events: events}, nil
}

// noteStored writes to the index of whom the run has stored a first credential. If that fails, the next run learns it from the
// ledger.
func (a *Apply) noteStored(ctx context.Context, s reconcile.State, version int, events []reconcile.Event) {
	s.Names = maps.Clone(s.Names)
	news := false
	for _, e := range events {
		if n := s.Names[e.User]; !e.Expires.IsZero() && !n.Stored {
			n.Stored, news = true, true
			s.Names[e.User] = n
		}
	}
	if news && ctx.Err() == nil {
		ctx, cancel := context.WithTimeout(ctx, noteTime)
		defer cancel()
		_ = a.Executor.Store.WriteState(ctx, s, version)
	}
}

// idle is the outcome of a plan without a step that may run. Nothing is written.
func (a *Apply) idle(p reconcile.Plan) reconcile.Outcome {
	if a.Begin != nil && p.Changes() {
		a.Begin(p)
	}
	return reconcile.Outcome{Plan: p, Events: a.Executor.holdAll(p)}
}

// refusals is why this plan must not be carried out.
func (a *Apply) refusals(p reconcile.Plan) []string {
	refused := p.Refusals()
	if a.Hold {
		refused = p.Forbidden
	}
	if digest := p.Digest(); a.Rules.Expect != "" && p.Changes() && digest != a.Rules.Expect {
		refused = append(refused, fmt.Sprintf("the plan's digest is %s, not the expected %s: it was made from something else, or with other flags (--expect)",
			digest, a.Rules.Expect))
	}
	return refused
}

func (a *Apply) plan(ctx context.Context, inv *inventory.Inventory) (reconcile.Plan, error) {
	return MakePlan(ctx, inv, a.Cluster, a.Store, a.Rules, a.Executor.Now)
}

// begin writes the state before the first step, check-and-set: of two runs that saw the same state, one fails here. The
// lock gets its generation after it, so that it is never ahead of the state of a run that was cut off. When an owner moves
// it is the other way round: a Lease of the new cluster that is behind would look like one that was deleted.
func (a *Apply) begin(ctx context.Context, p reconcile.Plan, lock reconcile.Lock) (s reconcile.State, err error) {
	s = p.State
	s.RunID, s.StartedAt, s.StartedBy = a.Executor.RunID, a.Executor.Now().UTC(), a.Rules.Self
	if p.Moves {
		if err := lock.Record(ctx, s.Mark()); err != nil {
			return s, fmt.Errorf("recording the start of the run at the lock: %w", err)
		}
	}
	err = a.Executor.Store.WriteState(ctx, s, p.StateVersion)
	if errors.Is(err, reconcile.ErrPrecondition) {
		return s, reconcile.Refused{Violations: []string{"another run has begun meanwhile; wait for it, then plan again"}}
	}
	if err != nil {
		return s, fmt.Errorf("recording the start of the run: %w", err)
	}
	if !p.Moves { // the lock has it already
		if err := lock.Record(ctx, s.Mark()); err != nil {
			return s, fmt.Errorf("recording the start of the run at the lock: %w", err)
		}
	}
	return s, recordRevoked(ctx, p, lock)
}

// recordRevoked writes to the lock whose certificates are void, if the plan changes that. A run with Vault takes users out whose
// next epoch its state has, so the state comes first. A run without Vault adds users, before it takes anything from them.
func recordRevoked(ctx context.Context, p reconcile.Plan, lock reconcile.Lock) error {
	if p.Revoked == nil {
		return nil
	}
	if err := lock.RecordRevoked(ctx, p.Revoked); err != nil {
		return fmt.Errorf("recording revocations at the lock: %w", err)
	}
	return nil
}

// permitted asks Kubernetes and Vault whether everything that the plan needs is allowed, so that a run that cannot end
// well does not begin.
func (a *Apply) permitted(ctx context.Context, p reconcile.Plan) error {
	wanted := p.Permissions(a.Executor.Issuer.Permissions())
	wanted = append(wanted, reconcile.LockPermissions(p.Owner, a.LockNamespace, p.Leased)...)
	denied, err := a.Access.Denied(ctx, wanted)
	if err != nil {
		return fmt.Errorf("asking what %q may do: %w", a.Rules.Self, err)
	}
	var lacks []string
	for _, d := range denied {
		lacks = append(lacks, d.String())
	}
	if len(lacks) > 0 {
		return reconcile.WithHint(fmt.Errorf("%q may not: %s", a.Rules.Self, strings.Join(lacks, "; ")),
			"grant it in Kubernetes RBAC to the identity that runs apply; nothing was written")
	}
	lacks, err = a.StoreAccess.MissingCapabilities(ctx, p.StoreNeeds())
	if err != nil {
		return fmt.Errorf("asking what certsync's Vault token may do: %w", err)
	}
	if len(lacks) > 0 {
		return reconcile.WithHint(fmt.Errorf("certsync's Vault token lacks %s", strings.Join(lacks, "; ")),
			"add it to the token's policy; nothing was written")
	}
	return nil
}
