package apply

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/endpoint"
	"github.com/certsync/certsync/reconcile/plan"
	"github.com/certsync/certsync/reconcile/retention"
	"github.com/certsync/certsync/reconcile/revocation"
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
	revocation.Extend(&p, o, r)
	return p, endpoint.Complete(p.Endpoint)
}

// Apply makes a cluster and Vault agree with an inventory.
type Apply struct {
	Terms
	Cluster     reconcile.ClusterReader
	Store       reconcile.StoreReader
	StoreAccess reconcile.StoreReviewer
	Executor    *Executor
}

// noteTime is how long the note at the end of a run may take.
const noteTime = 5 * time.Second

// Do observes, plans, asks, takes the lock, observes and plans again, and carries out that second plan. Where somebody
// agreed to the first, the two must be the same. It returns Refused if nothing may be written, Locked while another run
// writes, and any other error if another reason kept the run from its steps. Only with a retention.ErrLimited were those steps done
// that need nothing of Vault. Steps that failed are no error: they are in the Outcome, and the other users' steps were done.
func (a *Apply) Do(ctx context.Context, inv *inventory.Inventory) (reconcile.Outcome, error) {
	return a.Terms.do(ctx, a.work(inv))
}

// Prepare is Do up to the consent. It writes nothing.
func (a *Apply) Prepare(ctx context.Context, inv *inventory.Inventory) (Prepared, error) {
	return a.Terms.prepare(ctx, a.work(inv))
}

func (a *Apply) work(inv *inventory.Inventory) work {
	rules := a.Rules
	return work{
		executor: a.Executor,
		plan: func(ctx context.Context) (reconcile.Plan, error) {
			p, err := MakePlan(ctx, inv, a.Cluster, a.Store, rules, a.Executor.Now)
			rules.Denying = rules.Denying || p.State.Admission
			return p, err
		},
		permitted: a.permitted,
		execute:   a.execute,
	}
}

// execute writes the state, and carries a plan out.
func (a *Apply) execute(ctx, lost context.Context, p reconcile.Plan, lock reconcile.Lock) ([]reconcile.Event, error) {
	both, cancel := afterwards(ctx, lost, 0)
	defer cancel()
	state, err := a.begin(both, p, lock)
	if err != nil && !errors.Is(err, retention.ErrLimited) {
		return nil, err
	}
	a.tell(p)
	if err != nil {
		// Nobody gets a credential that Vault deletes. Leavers lose their bindings all the same.
		return a.Executor.withoutVault(ctx, lost, p, err), err
	}
	events := a.Executor.execute(ctx, lost, p)
	a.noteStored(lost, state, p.StateVersion+1, events)
	return events, nil
}

// noteStored writes to the index of whom the run has stored a first credential. If that fails, the next run learns it from the
// ledger.
func (a *Apply) noteStored(ctx context.Context, s reconcile.State, version int, events []reconcile.Event) {
	s.Names = maps.Clone(s.Names)
	stored := false
	for _, e := range events {
		if n := s.Names[e.User]; !e.Expires.IsZero() && !n.Stored {
			n.Stored, stored = true, true
			s.Names[e.User] = n
		}
	}
	if stored && ctx.Err() == nil {
		ctx, cancel := context.WithTimeout(ctx, noteTime)
		defer cancel()
		_ = a.Executor.Store.WriteState(ctx, s, version)
	}
}

// begin writes the state before the first step, check-and-set: of two runs that saw the same state, one fails here. The
// lock gets its generation after it, so that it is never ahead of the state of a run that was cut off. When an owner moves
// it is the other way round: a Lease of the new cluster that is behind would look like one that was deleted.
func (a *Apply) begin(ctx context.Context, p reconcile.Plan, lock reconcile.Lock) (s reconcile.State, err error) {
	s = p.State
	s.RunID, s.StartedAt, s.StartedBy = a.Executor.RunID, a.Executor.Now().UTC(), a.Rules.Self
	s.Runs = withRun(p, reconcile.Run{ID: s.RunID, At: s.StartedAt, By: s.StartedBy, Revision: a.Executor.Revision})
	if p.Moves {
		if err := lock.Record(ctx, s.Mark()); err != nil {
			return s, fmt.Errorf("recording the start of the run at the lock: %w", err)
		}
	}
	err = a.Executor.Store.WriteState(ctx, s, p.StateVersion)
	if errors.Is(err, reconcile.ErrPrecondition) {
		return s, reconcile.Refused{Violations: []string{"another run has begun; wait until it ends, then plan again"}}
	}
	if err != nil && !errors.Is(err, retention.ErrLimited) {
		return s, fmt.Errorf("recording the start of the run: %w", err)
	}
	if !p.Moves { // the lock has it already
		if err := lock.Record(ctx, s.Mark()); err != nil {
			return s, fmt.Errorf("recording the start of the run at the lock: %w", err)
		}
	}
	if err != nil { // it was written, so the lock has to know: without a generation there, the next one would look like a backup
		return s, fmt.Errorf("recording the start of the run, which stores nothing in Vault: %w", err)
	}
	return s, recordRevoked(ctx, p, lock)
}

// withRun is the list of runs with this one, if it gives or takes access. Time alone renews and purges, many times a day. Runs that
// correct drift follow each other as often as somebody makes some: of those in a row, the last stays, so that none of another
// inventory is forgotten for them.
func withRun(p reconcile.Plan, this reconcile.Run) []reconcile.Run {
	all := p.State.Runs
	if !slices.ContainsFunc(p.Steps, givesOrTakes) {
		return all
	}
	this.Drift = !p.RecordState
	if n := len(all); n > 0 && this.Drift && all[n-1].Drift {
		all = all[:n-1]
	}
	all = append(slices.Clone(all), this)
	return all[max(0, len(all)-reconcile.MaxRuns):]
}

// givesOrTakes reports whether a step is to run and changes what somebody may do.
func givesOrTakes(s reconcile.Step) bool {
	switch {
	case s.Held != "" || s.Action == reconcile.Renew || s.Action == reconcile.Purge:
		return false
	case s.Action == reconcile.Update:
		return s.Detail != nil && len(s.Detail.Add)+len(s.Detail.Remove) > 0
	}
	return true
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
	if err := a.allowed(ctx, p, p.Permissions(a.Executor.Issuer.Permissions())); err != nil {
		return err
	}
	lacks, err := a.StoreAccess.MissingCapabilities(ctx, p.StoreNeeds())
	if err != nil {
		return fmt.Errorf("asking what certsync's Vault token may do: %w", err)
	}
	if len(lacks) > 0 {
		return reconcile.WithHint(fmt.Errorf("certsync's Vault token lacks %s", strings.Join(lacks, "; ")),
			"add it to the token's policy; nothing was written")
	}
	return nil
}
