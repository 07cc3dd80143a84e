package main

import (
	"context"
	"fmt"
	"time"

	"github.com/certsync/certsync/cmd/certsync/internal/issuing"
	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile/apply"
	"github.com/certsync/certsync/reconcile/kube/csr"
	"github.com/certsync/certsync/reconcile/preflight"
)

// preparer is a run with Vault or without.
type preparer interface {
	Prepare(context.Context, *inventory.Inventory) (apply.Prepared, error)
}

func (a *applying) open(ctx context.Context) (preparer, *apply.Terms, error) {
	inv, runID := a.target.Inventory, a.account.RunID
	ca, err := a.ReadCA()
	if err != nil {
		return nil, nil, err
	}
	cluster, store, err := a.connect(ctx, a.program, inv.Owner, a.atVault())
	a.account.Stores = cluster // even if Vault cannot be reached
	if err != nil {
		if cluster == nil && a.gate != nil {
			a.openVault(ctx)
		}
		return nil, nil, err
	}
	a.store, a.closeIdle, a.leave = store, store.CloseIdle, func() { a.program.leave(ctx, store) }
	if err := preflight.ShortLived(store.TokenLife(), a.RunTime(len(inv.Users))*time.Duration(a.gate.Rounds())); err != nil {
		a.complain(fmt.Errorf("warning: %w", err))
	}
	self, err := cluster.WhoAmI(ctx)
	if err != nil {
		a.account.Stores = nil // a cluster that does not answer cannot store Events
		return nil, nil, err
	}
	issuer, stop := a.issuerFlags.Open(ca, cluster, csr.Options{
		Owner: inv.Owner, RunID: runID, Identity: self, MaxInFlight: a.MaxInFlight, Announce: issuing.AskForApproval(a.progress),
		StopAsking: ctx.Done(), // after an interruption certsync waits for no approval
	}, len(inv.Users))
	a.leave = func() { stop(); a.program.leave(ctx, store) }
	executor := a.newExecutor(cluster, store, issuer, a.MaxInFlight, runID)
	executor.WithoutCanary, executor.Revision, executor.Report = a.Manual(), a.Revision, a.step
	if a.gate != nil {
		executor.BeforeIssue = func(ctx context.Context) { a.gate.Wait(ctx, a.target.Name) }
	}
	run := &apply.Apply{Terms: a.terms(ctx, cluster, inv.Owner, self), Cluster: cluster, Store: store, StoreAccess: store, Executor: executor}
	return run, &run.Terms, nil
}

// openVault opens Vault without a cluster, which can tell whose removals are outstanding.
func (a *applying) openVault(ctx context.Context) {
	if store, err := a.vault(ctx, a.target.Owner, a.atVault()); err == nil {
		a.store, a.leave = store, func() { a.program.leave(ctx, store) }
	}
}

// atVault is how many requests to Vault may run at once. All clusters together have as many as one alone.
func (a *applying) atVault() int {
	if a.gate == nil {
		return a.MaxInFlight
	}
	return max(1, a.MaxInFlight/a.ClustersAtOnce)
}
