package main

import (
	"fmt"
	"strings"
)

// The exit codes. 80 is kong's own.
const (
	exitOK          = 0
	exitError       = 1
	exitChanges     = 2
	exitRefused     = 3
	exitLocked      = 4
	exitUsage       = 80
	exitInterrupted = 130
)

// exitCodes explains every exit code, for the help and for the reference.
var exitCodes = []struct {
	code    int
	brief   string // in the help of a command
	meaning string // in the reference, for all commands
	action  string // what to do, for a person on call
}{
	{exitOK, "done", "The command is done.", "Nothing."},
	{exitError, "an error",
		"An error, an invalid inventory or a failed `preflight` check. For `apply` also: a user or binding failed or was held, and the others are done.",
		"Read the last lines of stderr and the hint. The next run of `apply` tries again. If Vault is down, run `certsync apply --removals-only`."},
	{exitChanges, "changes are pending (with --detailed-exitcode)",
		"Changes are pending. Only `plan --detailed-exitcode` exits with this code.", "Read the plan, then run `certsync apply`."},
	{exitRefused, "refused, nothing was written",
		"certsync refuses the whole run. It has written nothing. `kubeconfig --merge` refuses what would change the entries of others.",
		"Nobody gets or loses access until you settle the reasons. Read them on stderr: each names the flag that lifts it, if there is one. Run `certsync plan` before you lift one."},
	{exitLocked, "another run holds the lock, nothing was written",
		"Another run of this owner holds the lock. This run has written nothing.",
		"Wait for the other run, or set `--lock-timeout`. The lock of a killed run is free after one minute."},
	{exitUsage, "usage", "The command line is wrong: an unknown command, flag or name, or a bad value.", "Correct the command line or the variable that the hint names."},
	{exitInterrupted, "interrupted", "Ctrl-C or SIGTERM interrupted the run.", "Run the same command again. The next `apply` does the remaining steps."},
}

// exitLine lists exit codes for the help of a command. failure says what code 1 means for that command.
func exitLine(failure string, codes ...int) string {
	var all []string
	for _, code := range codes {
		brief := failure
		if code != exitError {
			brief = briefOf(code)
		}
		all = append(all, fmt.Sprintf("%d %s", code, brief))
	}
	return "Exit codes: " + strings.Join(all, "; ") + "."
}

// briefOf is the short text of an exit code.
func briefOf(code int) string {
	for _, e := range exitCodes {
		if e.code == code {
			return e.brief
		}
	}
	return ""
}

// anError is what code 1 means for a command that has no other failure.
func anError() string { return briefOf(exitError) }
