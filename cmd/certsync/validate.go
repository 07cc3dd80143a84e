package main

import (
	"errors"
	"fmt"

	"github.com/certsync/certsync/cmd/certsync/internal/flagvalue"
	"github.com/certsync/certsync/cmd/certsync/internal/fleet"
	"github.com/certsync/certsync/cmd/certsync/internal/generate"
	"github.com/certsync/certsync/cmd/certsync/internal/nextstep"
	"github.com/certsync/certsync/cmd/certsync/internal/render"
	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

type validateCmd struct {
	inventoryFlags
	Cluster   fleet.Names      `placeholder:"NAME,..." help:"Only this cluster of an inventory that has several: its name, or a label such as env=prod. Repeatable (default: all)."`
	Effective flagvalue.Filled `placeholder:"NAME" help:"Print what an inventory that has several clusters says for this one, as an inventory for it alone."`
	SameAs    flagvalue.Filled `placeholder:"FILE" help:"Compare with this inventory for one cluster, and say whether its owner would see a change. With several clusters, choose one with --cluster."`
}

// Help is shown below the flags.
func (validateCmd) Help() string {
	return `Reads the inventory, the team files and the signing requests that it names. It needs no cluster and no Vault, and writes nothing. It lists up to 100 problems at once, each with its place, such as users.yaml:14:17: users[3].groups[0]: …

The inventory digest that it prints identifies the inventory. certsync apply --expect takes another one: the digest of a plan.

  certsync validate
  certsync validate -f prod-eu/users.yaml
  certsync validate --effective prod-eu
  certsync validate --cluster prod-eu --same-as prod-eu/users.yaml

` + exitLine("a problem in the inventory, a difference with --same-as, or another error", exitOK, exitError, exitUsage)
}

// Validate is called by kong after parsing.
func (c validateCmd) Validate() error {
	if c.Effective != "" && c.SameAs != "" {
		return errors.New("--effective and --same-as cannot be used together")
	}
	if c.Effective != "" && len(c.Cluster) > 0 {
		return errors.New("--effective and --cluster cannot be used together: --effective names the cluster")
	}
	return nil
}

// Run checks the inventory.
func (c validateCmd) Run(p program) error {
	file, err := inventory.LoadFile(c.File)
	if err != nil {
		return notFound(err)
	}
	chosen := c.Cluster
	if c.Effective != "" {
		chosen = fleet.Names{string(c.Effective)}
	}
	members, err := chosen.Choose(file)
	if err != nil {
		return err
	}
	if c.Effective != "" || c.SameAs != "" {
		if len(members) > 1 {
			return reconcile.WithHint(fmt.Errorf("%d clusters are chosen, and this is for one", len(members)), "name one cluster of the inventory, with --cluster or --effective")
		}
		return c.one(p, file, members[0])
	}
	if err := writeAll(p.stdout, render.Validated(c.File, file, members)); err != nil {
		return err
	}
	p.suggest("text", nextstep.Result{})
	return nil
}

// one prints the inventory of one cluster, or compares it with another one.
func (c validateCmd) one(p program, file *inventory.File, m inventory.Member) error {
	inv := file.Effective(m)
	if c.Effective != "" {
		return writeAll(p.stdout, generate.Effective(c.File, m.Name, inv))
	}
	old, err := inventory.LoadFile(string(c.SameAs))
	if err != nil {
		return reconcile.WithHint(fmt.Errorf("--same-as: %w", err), "set --same-as to an inventory for one cluster")
	}
	other, err := old.Only()
	if err != nil {
		return reconcile.WithHint(fmt.Errorf("--same-as %s: %w", c.SameAs, err), "set --same-as to an inventory for one cluster, such as the output of certsync validate --effective NAME")
	}
	if inv.Digest() == other.Digest() {
		return writeAll(p.stdout, render.Same(string(c.SameAs), inv))
	}
	if err := writeAll(p.stdout, render.Differences(other, inv)); err != nil {
		return err
	}
	err = fmt.Errorf("the inventory is not the same as %s", c.SameAs)
	if inv.Owner != other.Owner {
		err = fmt.Errorf("%w: its owner is %q, not %q", err, inv.Owner, other.Owner)
	}
	return reconcile.WithHint(err, "change the inventory until no difference is left, or expect these changes in the plan")
}
