package invocation

// Instead has a hint for each command that other programs have and certsync does not.
var Instead = map[string]string{
	"add":       addUser,
	"create":    addUser,
	"issue":     addUser,
	"revoke":    "to revoke a user's certificates, run certsync apply --revoke NAME, or set revokedBefore on the user in users.yaml",
	"remove":    removeUser,
	"delete":    removeUser,
	"renew":     "certsync apply renews certificates that are due; to replace one now, run certsync apply --revoke NAME",
	"list":      "run certsync status for the list of users",
	"users":     "run certsync status for the list of users",
	"get":       "run certsync kubeconfig --owner OWNER --user NAME for your kubeconfig, or certsync status for the list of users",
	"login":     "run certsync kubeconfig --owner OWNER --user NAME --merge to fetch your kubeconfig",
	"diff":      "run certsync plan to see what would change",
	"audit":     "run certsync review for the access review",
	"destroy":   "certsync apply --allow-empty with an inventory without users removes all users",
	"history":   "certsync status --user NAME lists the certificates of a user; the history of users.yaml is in git",
	"import":    "certsync export prints an inventory from the bindings that exist",
	"new":       "certsync init writes a users.yaml to start from",
	"rollback":  "restore the earlier users.yaml in git, then run certsync apply",
	"run":       "certsync apply applies the inventory; certsync manifests prints a CronJob for it",
	"setup":     "certsync init writes a users.yaml to start from; certsync manifests prints the objects for a CronJob",
	"show":      "run certsync status for the list of users",
	"sync":      "certsync apply applies the inventory",
	"uninstall": "certsync apply --allow-empty with an inventory without users removes all users",
	"up":        "certsync apply applies the inventory",
	"update":    "edit users.yaml, then run certsync apply",
}

// InsteadOfFlag has a hint for each flag that other programs have and certsync does not, or not for every command.
var InsteadOfFlag = map[string]string{
	"--dry-run":     "run certsync plan to see what certsync apply would change",
	"--vault-addr":  "set VAULT_ADDR: certsync finds Vault as the vault CLI does",
	"--vault-token": "set VAULT_TOKEN, or run `vault login`: certsync finds Vault as the vault CLI does",
}

const (
	addUser    = "add the user to users.yaml, then run certsync apply"
	removeUser = "remove the user from users.yaml, then run certsync apply; if Vault is down, add --removals-only"
)
