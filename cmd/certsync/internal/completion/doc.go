// Package completion completes command lines of certsync in bash, zsh and fish.
//
// Script returns the script for a user's shell. The scripts only translate between the shell and certsync: they
// call certsync with Command and the words up to the cursor. Complete answers that call. So a new release needs no new
// script.
//
// Complete looks at nothing but the commands and flags that certsync has. It reads no file and asks no server.
package completion
