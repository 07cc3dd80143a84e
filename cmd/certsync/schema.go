package main

import "github.com/certsync/certsync/inventory"

type schemaCmd struct {
	Kind string `arg:"" optional:"" enum:"inventory,team" default:"inventory" help:"Which file: inventory, which is the default, or team."`
}

// Help is shown below the flags.
func (schemaCmd) Help() string {
	return `Prints JSON Schema (draft-07), with which an editor completes and explains the fields and marks most mistakes while you type. certsync validate finds all of them.

  certsync schema > users.schema.json
  certsync schema team > team.schema.json

The first line of users.yaml then says where it is, from there:

  # yaml-language-server: $schema=users.schema.json

Exit codes: 0 done; 1 an error; 80 usage.`
}

// Run prints the schema.
func (c schemaCmd) Run(p program) error {
	if c.Kind == "team" {
		return writeAll(p.stdout, inventory.TeamSchema())
	}
	return writeAll(p.stdout, inventory.Schema())
}
