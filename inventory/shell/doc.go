// Package shell quotes values for commands that people paste into a terminal.
package shell
