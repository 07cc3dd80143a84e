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
	ruleFlags        `group:"Guards, and what lifts them:"`
	Output           string `short:"o" enum:"text,json,markdown" default:"text" placeholder:"text|json|markdown" help:"Text for people, JSON, or a comment for a pull request (default: ${default})."`
	DetailedExitcode bool   `help:"Exit 2 if there is something to do."`
}

// Help is shown below the flags.
func (planCmd) Help() string {
	return `Needs the right to read the cluster, and in Vault "list" and "read" on ledger/, state and the metadata of users/: never the right to read a key.

  certsync plan -f users.yaml
  certsync plan -o json | jq -r .digest     # for apply --expect
  certsync plan -o markdown > comment.md    # for GitHub or GitLab

Exit codes: 0 done; 1 an error; 2 changes are pending (with --detailed-exitcode); 80 usage; 130 interrupted.`
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

// plan makes the plan. It revokes its token before anything is printed. A reader that closes stdout, as in
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
