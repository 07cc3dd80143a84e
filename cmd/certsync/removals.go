package main

import (
	"context"
	"fmt"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile/apply"
)

// removalFlags are for the night when Vault is down.
type removalFlags struct {
	RemovalsOnly bool `help:"For when Vault is down: take users out of the bindings that the inventory does not give them, and users of --revoke out of all. Give nothing, and write only bindings, the Lease and Events. The Lease records revocations for the next apply with Vault."`
}

// validate refuses flags that need Vault, or a run that gives something.
func (f removalFlags) validate(r ruleFlags) error {
	if !f.RemovalsOnly {
		return nil
	}
	for _, useless := range []struct {
		flag  string
		given bool
		why   string
	}{
		{"--drift", r.Drift, "only Vault knows the inventory that was applied last"},
		{"--policy=" + string(r.Policy), !r.Policy.Takes(), "it takes nothing away"},
		{"--adopt", len(r.Adopt) > 0, "it is about Vault"},
		{"--retry", len(r.Retry) > 0, "no certificate is asked for"},
		{"--move-to-this-cluster", r.MoveToThisCluster, "only Vault knows the owner's cluster"},
		{"--new-ledger", r.NewLedger, "it is about Vault"},
		{"--accept-rollback", r.AcceptRollback, "it is about Vault"},
		{"--accept-shared-ca", r.AcceptSharedCA, "no certificate is given out"},
	} {
		if useless.given {
			return fmt.Errorf("%s: not with --removals-only: %s", useless.flag, useless.why)
		}
	}
	return nil
}

// remove is apply without Vault.
func (c applyCmd) remove(ctx context.Context, p program, r *runReport, inv *inventory.Inventory) error {
	cluster, err := c.kubernetes(p)
	if err != nil {
		return err
	}
	self, err := cluster.WhoAmI(ctx)
	if err != nil {
		return err
	}
	r.cluster = cluster
	a := c.begin(p, r)
	run := &apply.Removals{
		Terms: a.terms(ctx, cluster, inv.Owner, self), Cluster: cluster, Bindings: cluster.Bindings(),
		Now: time.Now, Workers: c.MaxInFlight, RunID: r.account.RunID, LastStep: p.lastStep(), Report: a.step,
	}
	return a.do(ctx, inv, run.Do)
}
