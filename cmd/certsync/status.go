package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/certsync/certsync/cmd/certsync/internal/flagvalue"
	"github.com/certsync/certsync/cmd/certsync/internal/fleet"
	"github.com/certsync/certsync/cmd/certsync/internal/generate"
	"github.com/certsync/certsync/cmd/certsync/internal/show"
	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/removals"
	"github.com/certsync/certsync/reconcile/status"
)

type statusCmd struct {
	inventoryFlags
	fleet.Flags `group:"Cluster and Vault:"`
	serverFlags `group:"Cluster and Vault:"`
	jobFlags    `group:"Cluster and Vault:"`
	User        []string `placeholder:"NAME" env:"-" help:"Show everything about this user. Repeatable."`
	Emergency   bool     `help:"With --user: print kubectl commands that remove the user from all bindings of certsync. Needs the right to list bindings, and no Vault."`
	Output      string   `short:"o" enum:"text,wide,json" default:"text" placeholder:"text|wide|json" help:"Output format. wide is text with more columns and nothing shortened (default: ${default})."`
}

// Help is shown below the flags.
func (statusCmd) Help() string {
	return `Reads the inventory, the cluster and Vault, and shows one line for each user: the state, the end of the last certificate, and the roles. It also shows users who left and whose certificates have not expired. It writes nothing, and needs the same rights as plan.

  certsync status
  certsync status -o wide
  certsync status --user alice@example.com
  certsync status --cluster prod-eu    # of several clusters
  certsync status -o json | jq '.users[] | select(.state == "left")'
  certsync status --user alice@example.com --emergency    # when Vault is down

CERTSYNC_USER does not set --user: kubeconfig uses it for your own name.
` + exitLine(anError(), exitOK, exitError, exitUsage, exitInterrupted)
}

// Validate is called by kong after parsing.
func (c statusCmd) Validate() error {
	if c.Emergency && len(c.User) == 0 {
		return errors.New("--emergency requires --user NAME")
	}
	return cmp.Or(c.Flags.Validate(), c.serverFlags.Validate())
}

// AfterApply is called by kong after parsing, also for an empty flag.
func (c statusCmd) AfterApply() error { return flagvalue.RefuseEmpty("--user", c.User) }

// Run reports on every user. It only reads.
func (c statusCmd) Run(ctx context.Context, p program) error {
	targets, err := c.targets(c.Flags)
	if err == nil && c.Emergency {
		err = fleet.OnlyOne("--emergency", targets)
	}
	switch {
	case err != nil:
		return err
	case len(targets) > 1:
		return c.several(ctx, p, targets)
	}
	inv := targets[0].Inventory
	if c.serverFlags = c.at(targets[0]); c.Emergency {
		return c.emergency(ctx, p, inv)
	}
	observed, err := c.observe(ctx, p, inv.Owner)
	if err != nil {
		return err
	}
	report := status.Of(inv, observed, c.own(c.LockNamespace))
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
		return writeAll(p.stdout, show.Users(report, colours))
	}
	return writeAll(p.stdout, show.Status(report, colours, c.Output == "wide"))
}

// several reports on the users of several clusters.
func (c statusCmd) several(ctx context.Context, p program, targets []fleet.Target) error {
	results, err := inEach(ctx, c.serverFlags, c.Flags, targets, func(ctx context.Context, f serverFlags, t fleet.Target) (fleet.Standing, error) {
		cluster, err := f.kubernetes(p.in(t.Name))
		store, storeErr := f.vault(ctx, t.Owner, 0)
		if storeErr != nil {
			return fleet.Standing{}, cmp.Or(err, storeErr)
		}
		defer p.leave(ctx, store)
		var reader reconcile.ClusterReader
		if err == nil {
			reader = cluster
		}
		return fleet.StandingOf(ctx, t, reader, err, store, c.own(f.LockNamespace), time.Now)
	})
	if err == nil {
		err = fleet.OnlyUsers(results, c.User)
	}
	if err != nil {
		return err
	}
	shown := fleet.ShownStanding(results)
	var text []byte
	switch colours := paletteFor(p.stdout); {
	case c.Output == "json":
		err = writeJSON(p.stdout, fleet.StatusDocument(results))
	case len(c.User) > 0:
		text = show.UsersInClusters(shown, colours)
	default:
		text = show.Statuses(shown, colours, c.Output == "wide")
	}
	return cmp.Or(err, writeAll(p.stdout, text), ended(p, results))
}

// emergency prints kubectl commands for an administrator. It reads only the cluster.
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
	return writeAll(p.stdout, generate.Emergency(emergency))
}

// writeJSON writes a value as JSON in one line.
func writeJSON(w io.Writer, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return writeAll(w, append(text, '\n'))
}
