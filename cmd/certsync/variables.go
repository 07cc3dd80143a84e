package main

import (
	"fmt"

	"github.com/alecthomas/kong"

	"github.com/certsync/certsync/cmd/certsync/internal/pushgateway"
	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/cmd/certsync/internal/variables"
	"github.com/certsync/certsync/cmd/certsync/internal/vaultlogin"
)

// envPrefix begins the variables that set flags.
const envPrefix = variables.Prefix

// warnOfVariables warns about CERTSYNC_ variables that match no flag. A misspelled variable could otherwise switch off a
// guard unnoticed. It is no error, because other programs may set such variables.
func (p program) warnOfVariables(commands *kong.Application, environment []string) {
	for _, name := range variables.Strays(commands, environment, vaultlogin.SecretIDVariable, pushgateway.UsernameVariable, pushgateway.PasswordVariable) {
		fmt.Fprintf(p.stderr, "certsync: warning: %s is set in the environment, but it matches no flag and has no effect\n", terminal.Clean(name))
	}
}
