package main

import "github.com/certsync/certsync/inventory"

type schemaCmd struct {
	Kind string `arg:"" optional:"" enum:"inventory,team" default:"inventory" help:"Kind of file: inventory or team (default: inventory)."`
}

// Help is shown below the flags.
func (schemaCmd) Help() string {
	return `Prints a JSON Schema (draft-07). With it, an editor completes and explains the fields, and marks most mistakes while you type. certsync validate finds all mistakes.

  certsync schema > users.schema.json
  certsync schema team > team.schema.json

Name the schema in the first line of users.yaml, with a path relative to that file:

  # yaml-language-server: $schema=users.schema.json

` + exitLine(anError(), exitOK, exitError, exitUsage)
}

// Run prints the schema.
func (c schemaCmd) Run(p program) error {
	if c.Kind == "team" {
		return writeAll(p.stdout, inventory.TeamSchema())
	}
	return writeAll(p.stdout, inventory.Schema())
}
