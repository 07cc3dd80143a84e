package main

import (
	"github.com/certsync/certsync/cmd/certsync/internal/nextstep"
	"github.com/certsync/certsync/cmd/certsync/internal/render"
)

type validateCmd struct {
	inventoryFlags
}

// Help is shown below the flags.
func (validateCmd) Help() string {
	return `Reads the inventory, the team files and the signing requests that it names. It needs no cluster and no Vault, and writes nothing. It lists all problems at once, each with its place, such as users.yaml:14:17: users[3].groups[0]: …

The inventory digest that it prints identifies the inventory. certsync apply --expect takes another one: the digest of a plan.

  certsync validate
  certsync validate -f prod-eu/users.yaml

` + exitLine("a problem in the inventory, or another error", exitOK, exitError, exitUsage)
}

// Run checks the inventory.
func (c validateCmd) Run(p program) error {
	inv, err := c.load()
	if err != nil {
		return err
	}
	if err := writeAll(p.stdout, render.Validated(c.File, inv)); err != nil {
		return err
	}
	p.suggest("text", nextstep.Result{})
	return nil
}
