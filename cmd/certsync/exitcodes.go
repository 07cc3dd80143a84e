package main

import "github.com/certsync/certsync/cmd/certsync/internal/exit"

// The exit codes.
const (
	exitOK          = exit.OK
	exitError       = exit.Error
	exitChanges     = exit.Changes
	exitRefused     = exit.Refused
	exitLocked      = exit.Locked
	exitUsage       = exit.Usage
	exitInterrupted = exit.Interrupted
)

// exitStatus is an exit code without an error to print.
type exitStatus = exit.Status

// exitLine lists exit codes for the help of a command. failure says what code 1 means for that command.
func exitLine(failure string, codes ...int) string { return exit.Line(failure, codes...) }

// anError is what code 1 means for a command that has no other failure.
func anError() string { return "an error" }
