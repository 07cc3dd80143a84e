package main

import (
	_ "embed"
)

// The scripts are all that shells differ in: each asks certsync itself what to offer, so that it need not be made anew for
// a new release. They are files since the release archives have them too.
var (
	//go:embed completion/certsync.bash
	bashCompletion string
	//go:embed completion/certsync.zsh
	zshCompletion string
	//go:embed completion/certsync.fish
	fishCompletion string
)

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
	scripts := map[string]string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}
	return writeAll(p.stdout, []byte(scripts[c.Shell]))
}
