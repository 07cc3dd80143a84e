package main

import (
	"cmp"
	"context"
	"encoding/json"
	"time"

	"github.com/certsync/certsync/cmd/certsync/internal/fleet"
	"github.com/certsync/certsync/cmd/certsync/internal/nextstep"
	"github.com/certsync/certsync/cmd/certsync/internal/render"
	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/apply"
)

type planCmd struct {
	inventoryFlags
	fleet.Flags      `group:"Cluster and Vault:"`
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
  certsync plan --cluster env=prod          # of several clusters

` + exitLine(anError(), exitOK, exitError, exitChanges, exitUsage, exitInterrupted)
}

// Validate is called by kong after parsing.
func (c planCmd) Validate() error { return cmp.Or(c.Flags.Validate(), c.serverFlags.Validate()) }

// Run shows the plan. It only reads.
func (c planCmd) Run(ctx context.Context, p program) error {
	targets, err := c.targets(c.Flags)
	if err != nil {
		return err
	}
	if len(targets) > 1 {
		return c.several(ctx, p, targets)
	}
	c.serverFlags = c.at(targets[0])
	plan, err := c.plan(ctx, p, targets[0].Inventory, nil)
	if err != nil {
		return err
	}
	if err := p.show(plan, c.Output); err != nil {
		return err
	}
	p.suggest(c.Output, nextstep.Result{Applicable: plan.HasWork() && len(plan.Refusals()) == 0})
	if c.DetailedExitcode && plan.Changes() {
		return exitStatus(exitChanges)
	}
	return nil
}

// several shows the plans of several clusters.
func (c planCmd) several(ctx context.Context, p program, targets []fleet.Target) error {
	results, err := inEach(ctx, c.serverFlags, c.Flags, targets, func(ctx context.Context, f serverFlags, t fleet.Target) (planned fleet.Planned, err error) {
		at := c
		at.serverFlags = f
		planned.Name = t.Name
		planned.Plan, err = at.plan(ctx, p.in(t.Name), t.Inventory, &planned.Unknown)
		planned.Made = err == nil
		return planned, err
	})
	if err != nil {
		return err
	}
	sum, err := fleet.SumOf(results)
	if err != nil {
		return err
	}
	if err := p.showPlans(results, sum, c.Output); err != nil {
		return err
	}
	if err := ended(p, results); err != nil {
		return err
	}
	p.suggest(c.Output, nextstep.Result{Applicable: sum.Runs && !sum.Refused})
	if c.DetailedExitcode && sum.Changes {
		return exitStatus(exitChanges)
	}
	return nil
}

// showPlans prints the plans of several clusters on stdout.
func (p program) showPlans(results []fleet.Result[fleet.Planned], sum fleet.Sum, output string) error {
	shown := fleet.Shown(results, func(made fleet.Planned) reconcile.Plan { return made.Plan })
	switch output {
	case "json":
		return writeJSON(p.stdout, fleet.PlanDocument(results, sum))
	case "markdown":
		return writeAll(p.stdout, render.PlansMarkdown(shown, sum.Digest))
	}
	return writeAll(p.stdout, render.Plans(shown, sum.Digest, paletteFor(p.stdout)))
}

// plan makes the plan. It revokes its token before it prints anything, because a closed stdout, as in
// `certsync plan | head`, ends the process. With several clusters, the plan leaves out names in flags that only other clusters may know,
// and adds them to unknown.
func (c planCmd) plan(ctx context.Context, p program, inv *inventory.Inventory, unknown *[]reconcile.UnknownName) (reconcile.Plan, error) {
	cluster, store, err := c.connect(ctx, p, inv.Owner, 0)
	if err != nil {
		return reconcile.Plan{}, err
	}
	defer p.leave(ctx, store)
	self, err := cluster.WhoAmI(ctx)
	if err != nil {
		return reconcile.Plan{}, err
	}
	rules := c.rules(self, c.LockNamespace)
	var plan reconcile.Plan
	makePlan := func() error {
		plan, err = apply.MakePlan(ctx, inv, cluster, store, rules, time.Now)
		return err
	}
	if unknown == nil {
		return plan, makePlan()
	}
	return plan, fleet.Known(&rules, unknown, makePlan)
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
