package main

import (
	"github.com/certsync/certsync/cmd/certsync/internal/pushgateway"
	"github.com/certsync/certsync/cmd/certsync/internal/vaultlogin"
)

// environmentHelp ends the first help. The reference begins its list of variables with it.
const environmentHelp = `You can set every flag in the environment: CERTSYNC_VAULT_MOUNT sets --vault-mount. certsync finds Vault as the vault CLI does: VAULT_ADDR, VAULT_TOKEN, VAULT_NAMESPACE, VAULT_CACERT, ~/.vault-token.`

// environmentVariables are the variables that certsync reads besides those of its flags, with their meaning.
var environmentVariables = []struct{ name, meaning string }{
	{"KUBECONFIG", "Kubeconfig files, as for kubectl."},
	{"VAULT_ADDR, VAULT_TOKEN, VAULT_NAMESPACE, VAULT_CACERT and others", "Address, token, namespace and CA of Vault, as for the vault CLI. certsync also reads ~/.vault-token and token helpers."},
	{vaultlogin.SecretIDVariable, "The secret ID of --vault-auth=approle. No flag takes it, because others can see command lines."},
	{pushgateway.UsernameVariable + ", " + pushgateway.PasswordVariable, "Basic authentication for --pushgateway."},
	{"GITHUB_SHA, CI_COMMIT_SHA, BUILD_SOURCEVERSION, BITBUCKET_COMMIT, GIT_COMMIT", "The default of --revision, in this order after CERTSYNC_REVISION."},
	{execInfo, "Set by kubectl for certsync credential."},
	{"NO_COLOR", "Switches colours off if it is not empty."},
}
