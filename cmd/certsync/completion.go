package main

import "github.com/certsync/certsync/cmd/certsync/internal/completion"

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"Whose script: bash, zsh or fish."`
}

// Help is shown below the flags.
func (completionCmd) Help() string {
	return `Prints a script that has your shell complete commands, flags, their values and the names of files. For that it runs certsync, which asks no server then and reads no file.

In ~/.bashrc, or in ~/.zshrc behind compinit:

  eval "$(certsync completion bash)"
  eval "$(certsync completion zsh)"

For fish, once:

  certsync completion fish > ~/.config/fish/completions/certsync.fish

Exit codes: 0 done; 1 an error; 80 usage.`
}

// Run prints the script.
func (c completionCmd) Run(p program) error {
	return writeAll(p.stdout, completion.Script(c.Shell))
}
