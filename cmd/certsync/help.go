package main

import "slices"

const description = `certsync gives users access to a Kubernetes cluster with client certificates. It reads the users from users.yaml, a file that you keep in git.

First steps:

  certsync init         # write a users.yaml to start from
  certsync preflight    # check what apply needs
  certsync plan         # show what would change, and why
  certsync apply        # show the plan, ask, and apply it
  certsync kubeconfig --owner prod-eu --user alice@example.com --merge

The last command is for users: it fetches their kubeconfig from Vault.

` + environmentHelp

// byHabit accepts command lines that users know from other programs: certsync help plan is certsync plan --help, and
// certsync --version is certsync version.
func byHabit(args []string) []string {
	switch {
	case len(args) > 0 && args[0] == "help":
		return append(slices.Clone(args[1:]), "--help")
	case len(args) == 1 && args[0] == "--version":
		return []string{"version"}
	}
	return args
}
