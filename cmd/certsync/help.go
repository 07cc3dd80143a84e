package main

import "slices"

const description = `certsync gives people access to a Kubernetes cluster by client certificates, from a users.yaml in git.

Begin here, with a users.yaml (certsync export prints one to start from):

  certsync preflight    # is everything there that apply will need?
  certsync plan         # what would change, for whom and why
  certsync apply        # shows the plan, asks, and makes it so
  certsync kubeconfig --owner prod-eu --user alice@example.com --merge

The last line is for users, who fetch their kubeconfig from Vault with it.

Every flag can also be set in the environment: --vault-mount is CERTSYNC_VAULT_MOUNT. Vault is found as the vault CLI finds it (VAULT_ADDR, VAULT_TOKEN, VAULT_NAMESPACE, VAULT_CACERT, ~/.vault-token).`

// byHabit accepts what users know from other programs: certsync help plan is certsync plan --help, and certsync --version is
// certsync version.
func byHabit(args []string) []string {
	switch {
	case len(args) > 0 && args[0] == "help":
		return append(slices.Clone(args[1:]), "--help")
	case len(args) == 1 && args[0] == "--version":
		return []string{"version"}
	}
	return args
}
