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
	return `All problems come at once, each with its place, such as users.yaml:14:17: users[3].groups[0]: …

  certsync validate
  certsync validate -f prod-eu/users.yaml

Exit codes: 0 done; 1 a problem, or another error; 80 usage.`
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
