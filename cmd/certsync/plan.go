package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/certsync/certsync/cmd/certsync/internal/nextstep"
	"github.com/certsync/certsync/cmd/certsync/internal/render"
	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/apply"
)

type planCmd struct {
	inventoryFlags
	serverFlags      `group:"Cluster and Vault:"`
	ruleFlags        `group:"Guards, and flags that lift them:"`
	Output           string `short:"o" enum:"text,json,markdown" default:"text" placeholder:"text|json|markdown" help:"Output format. markdown is a comment for a pull request (default: ${default})."`
	DetailedExitcode bool   `help:"Exit with code 2 if changes are pending."`
}

// Help is shown below the flags.
func (planCmd) Help() string {
	return `Compares the inventory with the cluster and Vault, and shows every change that apply would make, with its reason. It writes nothing. It needs read access to the cluster. In Vault it needs "list" and "read" on ledger/, state and the metadata of users/. It never reads a private key.

  certsync plan -f users.yaml
  certsync plan -o json | jq -r .digest     # for apply --expect
  certsync plan -o markdown > comment.md    # for GitHub or GitLab

` + exitLine(anError(), exitOK, exitError, exitChanges, exitUsage, exitInterrupted)
}

// Run shows the plan. It only reads.
func (c planCmd) Run(ctx context.Context, p program) error {
	inv, err := c.load()
	if err != nil {
		return err
	}
	plan, err := c.plan(ctx, p, inv)
	if err != nil {
		return err
	}
	if err := p.show(plan, c.Output); err != nil {
		return err
	}
	p.suggest(c.Output, nextstep.Result{Applicable: plan.Runs() && len(plan.Refusals()) == 0})
	if c.DetailedExitcode && plan.Changes() {
		return exitStatus(exitChanges)
	}
	return nil
}

// plan makes the plan. It revokes its token before it prints anything, because a closed stdout, as in
// `certsync plan | head`, ends the process.
func (c planCmd) plan(ctx context.Context, p program, inv *inventory.Inventory) (reconcile.Plan, error) {
	cluster, store, err := c.connect(ctx, p, inv.Owner, 0)
	if err != nil {
		return reconcile.Plan{}, err
	}
	defer p.leave(ctx, store)
	self, err := cluster.WhoAmI(ctx)
	if err != nil {
		return reconcile.Plan{}, err
	}
	return apply.MakePlan(ctx, inv, cluster, store, c.rules(self, c.LockNamespace), time.Now)
}

// show prints a plan on stdout.
func (p program) show(plan reconcile.Plan, output string) error {
	switch output {
	case "json":
		text, err := json.Marshal(plan)
		if err != nil {
			return err
		}
		return writeAll(p.stdout, append(text, '\n'))
	case "markdown":
		return writeAll(p.stdout, render.PlanMarkdown(plan))
	}
	return writeAll(p.stdout, render.Plan(plan, paletteFor(p.stdout)))
}
