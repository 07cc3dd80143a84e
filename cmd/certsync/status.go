package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/certsync/certsync/cmd/certsync/internal/render"
	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile/removals"
	"github.com/certsync/certsync/reconcile/status"
)

type statusCmd struct {
	inventoryFlags
	serverFlags `group:"Cluster and Vault:"`
	User        []string `placeholder:"NAME" help:"All about this user. Repeatable."`
	Emergency   bool     `help:"With --user: print the kubectl commands that take the user out of everything that certsync gave. Needs the right to list bindings, and nothing of Vault."`
	Output      string   `short:"o" enum:"text,wide,json" default:"text" placeholder:"text|wide|json" help:"Text for people, the same with everything in wide lines, or JSON (default: ${default})."`
}

// Help is shown below the flags.
func (statusCmd) Help() string {
	return `One line a user: how they stand, until when their last certificate lives, and what they have. Needs the same rights as plan.

  certsync status
  certsync status -o wide
  certsync status --user alice@example.com
  certsync status -o json | jq '.users[] | select(.state == "left")'
  certsync status --user alice@example.com --emergency    # when Vault is down

Exit codes: 0 done; 1 an error; 80 usage; 130 interrupted.`
}

// Validate is called by kong after parsing.
func (c statusCmd) Validate() error {
	if c.Emergency && len(c.User) == 0 {
		return errors.New("--emergency: it is for one user: --user NAME")
	}
	return c.serverFlags.Validate()
}

// Run reports on every user. It only reads.
func (c statusCmd) Run(ctx context.Context, p program) error {
	inv, err := c.load()
	if err != nil {
		return err
	}
	if c.Emergency {
		return c.emergency(ctx, p, inv)
	}
	observed, err := c.observe(ctx, p, inv.Owner)
	if err != nil {
		return err
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
		return writeJSON(p.stdout, report)
	case len(c.User) > 0:
		return writeAll(p.stdout, render.Users(report, colours))
	}
	return writeAll(p.stdout, render.Status(report, colours, c.Output == "wide"))
}

// emergency prints the commands for people. It asks the cluster alone.
func (c statusCmd) emergency(ctx context.Context, p program, inv *inventory.Inventory) error {
	cluster, err := c.cluster(p)
	if err != nil {
		return err
	}
	bindings, err := cluster.EveryBinding(ctx)
	if err != nil {
		return err
	}
	emergency, err := removals.ByHand(inv, bindings, time.Now().UTC(), c.User)
	switch {
	case err != nil:
		return err
	case c.Output == "json":
		return writeJSON(p.stdout, emergency)
	}
	return writeAll(p.stdout, render.Emergency(emergency))
}

// writeJSON writes a value for programs, in one line.
func writeJSON(w io.Writer, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return writeAll(w, append(text, '\n'))
}
