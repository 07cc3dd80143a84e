package main

import (
	"context"
	"encoding/json"

	"github.com/certsync/certsync/cmd/certsync/internal/render"
	"github.com/certsync/certsync/reconcile/status"
)

type statusCmd struct {
	inventoryFlags
	serverFlags `group:"Cluster and Vault:"`
	User        []string `placeholder:"NAME" help:"All about this user. Repeatable."`
	Output      string   `short:"o" enum:"text,json" default:"text" placeholder:"text|json" help:"Text for people, or JSON (default: ${default})."`
}

// Help is shown below the flags.
func (statusCmd) Help() string {
	return `One line a user: how they stand, until when their last certificate lives, and what they have. Needs the same rights as plan.

  certsync status
  certsync status --user alice@example.com
  certsync status -o json | jq '.users[] | select(.state == "left")'

Exit codes: 0 done; 1 an error; 80 usage; 130 interrupted.`
}

// Run reports on every user. It only reads.
func (c statusCmd) Run(ctx context.Context, p program) error {
	inv, err := c.load()
	if err != nil {
		return err
	}
	observed, err := c.observe(ctx, p, inv.Owner)
	if err != nil {
		return err
	}
	if observed.StateProblem != nil {
		return observed.StateProblem
	}
	report := status.Of(inv, observed)
	if len(c.User) > 0 {
		if report, err = report.Only(c.User); err != nil {
			return err
		}
	}
	colours := paletteFor(p.stdout)
	switch {
	case c.Output == "json":
		text, err := json.Marshal(report)
		if err != nil {
			return err
		}
		return writeAll(p.stdout, append(text, '\n'))
	case len(c.User) > 0:
		return writeAll(p.stdout, render.Users(report, colours))
	}
	return writeAll(p.stdout, render.Status(report, colours))
}
