package main

import "slices"

const description = `certsync gives people access to a Kubernetes cluster by client certificates, from a users.yaml in git.

Begin here (certsync export prints a users.yaml from the bindings that exist):

  certsync init         # writes a users.yaml to start from
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

// instead says what to do in place of commands that other programs have.
var instead = map[string]string{
	"add":    addUser,
	"create": addUser,
	"issue":  addUser,
	"revoke": "to make a user's certificates void, set revokedBefore on the user in users.yaml, or run certsync apply --revoke NAME",
	"remove": removeUser,
	"delete": removeUser,
	"renew":  "apply renews what is due; to have a user reissued now, run certsync apply --revoke NAME",
	"list":   "certsync status lists the users, and what they have",
	"users":  "certsync status lists the users, and what they have",
	"get":    "users fetch their kubeconfig with certsync kubeconfig; certsync status lists the users",
	"login":  "users fetch their kubeconfig with certsync kubeconfig --merge",
	"diff":   "certsync plan shows what differs",
	"audit":  "certsync review prints the access review",

	"destroy":   "certsync apply --allow-empty with an inventory without users removes all users",
	"history":   "certsync status --user NAME lists the certificates of a user; the history of users.yaml is in git",
	"import":    "certsync export prints an inventory from the bindings that exist",
	"new":       "certsync init writes a users.yaml to start from",
	"rollback":  "restore the earlier users.yaml in git, then run certsync apply",
	"run":       "certsync apply applies the inventory; certsync manifests prints a CronJob for it",
	"setup":     "certsync init writes a users.yaml to start from; certsync manifests prints the objects for a CronJob",
	"show":      "certsync status lists the users, and what they have",
	"sync":      "certsync apply applies the inventory",
	"uninstall": "certsync apply --allow-empty with an inventory without users removes all users",
	"up":        "certsync apply applies the inventory",
	"update":    "edit users.yaml, then run certsync apply",
}

const (
	addUser    = "add the user to users.yaml, then run certsync apply"
	removeUser = "take the user out of users.yaml, then run certsync apply; when Vault is down, certsync apply --removals-only"
)
