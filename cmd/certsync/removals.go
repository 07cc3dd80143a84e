package main

import (
	"context"
	"fmt"
	"time"

	"github.com/certsync/certsync/reconcile/apply"
)

// removalFlags are for a run while Vault is down.
type removalFlags struct {
	RemovalsOnly bool `help:"For use while Vault is down. Remove users from bindings that the inventory no longer gives them, and users of --revoke from all bindings. Adds no access. Writes only bindings, the Lease and Events. The Lease records revocations for the next apply with Vault."`
}

// validate refuses flags that need Vault or that give access.
func (f removalFlags) validate(r ruleFlags) error {
	if !f.RemovalsOnly {
		return nil
	}
	for _, useless := range []struct {
		flag  string
		given bool
		why   string
	}{
		{"--drift", r.Drift, "only Vault records the inventory that was applied last"},
		{"--policy=" + string(r.Policy), !r.Policy.Takes(), "that policy removes nothing"},
		{"--adopt", len(r.Adopt) > 0, "it needs Vault"},
		{"--retry", len(r.Retry) > 0, "no certificate is requested"},
		{"--move-to-this-cluster", r.MoveToThisCluster, "only Vault records the owner's cluster"},
		{"--new-ledger", r.NewLedger, "it needs Vault"},
		{"--accept-rollback", r.AcceptRollback, "it needs Vault"},
		{"--accept-shared-ca", r.AcceptSharedCA, "no certificate is issued"},
	} {
		if useless.given {
			return fmt.Errorf("%s cannot be used with --removals-only: %s", useless.flag, useless.why)
		}
	}
	return nil
}

func (a *applying) openWithoutVault(ctx context.Context) (preparer, *apply.Terms, error) {
	cluster, err := a.kubernetes(a.program)
	if err != nil {
		return nil, nil, err
	}
	self, err := cluster.WhoAmI(ctx)
	if err != nil {
		return nil, nil, err
	}
	a.account.Stores = cluster
	run := &apply.Removals{
		Terms: a.terms(ctx, cluster, a.target.Inventory.Owner, self), Cluster: cluster, Bindings: cluster.Bindings(),
		Now: time.Now, Workers: a.MaxInFlight, RunID: a.account.RunID, LastStep: a.lastStep(), Report: a.step,
	}
	return run, &run.Terms, nil
}
