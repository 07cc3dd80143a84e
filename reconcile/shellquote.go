package reconcile

import "github.com/certsync/certsync/inventory"

// ShellQuote is inventory.ShellQuote. Every value in a command that people paste goes through it.
func ShellQuote(text string) string { return inventory.ShellQuote(text) }
