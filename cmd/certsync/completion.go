package main

import "github.com/certsync/certsync/cmd/certsync/internal/completion"

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"Your shell: bash, zsh or fish."`
}

// Help is shown below the flags.
func (completionCmd) Help() string {
	return `Prints a script for your shell. With it, the shell completes commands, flags, their values and file names. The script runs certsync, which then asks no server and reads no file.

In ~/.bashrc, or in ~/.zshrc after compinit:

  eval "$(certsync completion bash)"
  eval "$(certsync completion zsh)"

For fish, once:

  certsync completion fish > ~/.config/fish/completions/certsync.fish

` + exitLine(anError(), exitOK, exitError, exitUsage)
}

// Run prints the script.
func (c completionCmd) Run(p program) error {
	return writeAll(p.stdout, completion.Script(c.Shell))
}
