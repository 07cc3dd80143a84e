package apply

import (
	"context"
	"slices"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/removals"
)

// Removals takes away what an inventory does not give, without Vault. It has nothing that could write to Vault or ask for a
// certificate.
type Removals struct {
	Terms
	Cluster  reconcile.ClusterReader
	Bindings reconcile.BindingWriter

	// These are as in Executor.
	Now      func() time.Time
	Workers  int
	RunID    string
	LastStep time.Duration
	Report   func(reconcile.Event)
}

// Do is as Apply.Do, with the cluster alone. Beside bindings it writes the lock: whose certificates --revoke makes void, before it
// takes anything from them. Otherwise a run that is cut off would leave nothing to tell the next one.
func (r *Removals) Do(ctx context.Context, inv *inventory.Inventory) (reconcile.Outcome, error) {
	return r.Terms.do(ctx, r.work(inv))
}

// Prepare is Do up to the consent. It writes nothing.
func (r *Removals) Prepare(ctx context.Context, inv *inventory.Inventory) (Prepared, error) {
	return r.Terms.prepare(ctx, r.work(inv))
}

func (r *Removals) work(inv *inventory.Inventory) work {
	x := &Executor{Bindings: r.Bindings, Now: r.Now, Workers: r.Workers, RunID: r.RunID, LastStep: r.LastStep, Report: r.Report}
	return work{
		executor: x,
		plan: func(ctx context.Context) (reconcile.Plan, error) {
			view, err := r.Cluster.ObserveCluster(ctx, inv.Owner)
			if err != nil {
				return reconcile.Plan{}, err
			}
			if err := removals.Unknown(inv, view, r.Rules); err != nil {
				return reconcile.Plan{}, err
			}
			return removals.Diff(inv, r.Now().UTC(), view, r.Rules), nil
		},
		permitted: r.permitted,
		execute: func(ctx, lost context.Context, p reconcile.Plan, lock reconcile.Lock) ([]reconcile.Event, error) {
			both, cancel := afterwards(ctx, lost, 0)
			defer cancel()
			if err := recordRevoked(both, p, lock); err != nil {
				return nil, err
			}
			r.tell(p)
			return x.takeOut(ctx, lost, p), nil
		},
	}
}

// permitted asks for the lock and for what the plan needs cluster-wide. A namespace in which certsync may not write, or in which a
// tenant has made bindings of our names, must not stop the run: the write itself tells.
func (r *Removals) permitted(ctx context.Context, p reconcile.Plan) error {
	return r.allowed(ctx, p, slices.DeleteFunc(p.Permissions(nil), func(perm reconcile.Permission) bool { return perm.Namespace != "" }))
}
