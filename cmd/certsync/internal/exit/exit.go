// Package exit has certsync's exit codes, and what they mean.
package exit

import (
	"fmt"
	"strings"
)

// The exit codes. Usage is kong's own.
const (
	OK          = 0
	Error       = 1
	Changes     = 2
	Refused     = 3
	Locked      = 4
	Usage       = 80
	Interrupted = 130
)

// Status is an exit code without an error to print.
type Status int

func (s Status) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// Codes explains every exit code, for the help and for the reference.
var Codes = []struct {
	Code    int
	Brief   string // in the help of a command
	Meaning string // in the reference, for all commands
	Action  string // what to do, for a person on call
}{
	{OK, "done", "The command is done.", "Nothing."},
	{Error, "an error",
		"An error, an invalid inventory or a failed `preflight` check. For `apply` also: a user or binding failed or was held, and the others are done. With several clusters: one failed, or was refused while others were written.",
		"Read the last lines of stderr and the hint. The next run of `apply` tries again. If Vault is down, run `certsync apply --removals-only`."},
	{Changes, "changes are pending (with --detailed-exitcode)",
		"Changes are pending. Only `plan --detailed-exitcode` exits with this code.", "Read the plan, then run `certsync apply`."},
	{Refused, "refused, nothing was written",
		"certsync refuses the whole run. It has written nothing. `kubeconfig --merge` refuses what would change the entries of others.",
		"Nobody gets or loses access until you settle the reasons. Read them on stderr: each names the flag that lifts it, if there is one. Run `certsync plan` before you lift one."},
	{Locked, "another run holds the lock, nothing was written",
		"Another run of this owner holds the lock. This run has written nothing.",
		"Wait for the other run, or set `--lock-timeout`. The lock of a killed run is free after one minute."},
	{Usage, "usage", "The command line is wrong: an unknown command, flag or name, or a bad value.", "Correct the command line or the variable that the hint names."},
	{Interrupted, "interrupted", "Ctrl-C or SIGTERM interrupted the run.", "Run the same command again. The next `apply` does the remaining steps."},
}

// Line lists exit codes for the help of a command. failure says what code 1 means for that command.
func Line(failure string, codes ...int) string {
	var all []string
	for _, code := range codes {
		text := failure
		if code != Error {
			text = brief(code)
		}
		all = append(all, fmt.Sprintf("%d %s", code, text))
	}
	return "Exit codes: " + strings.Join(all, "; ") + "."
}

// brief is the short text of an exit code.
func brief(code int) string {
	for _, e := range Codes {
		if e.Code == code {
			return e.Brief
		}
	}
	return ""
}
