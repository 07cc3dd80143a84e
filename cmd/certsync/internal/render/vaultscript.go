package render

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/certsync/certsync/inventory/shell"
)

// VaultSetup is what an administrator sets up in Vault for a deployment.
type VaultSetup struct {
	Owner     string
	Namespace string // of the job
	AuthMount string // where Vault's kubernetes auth method is mounted
	Accounts  []VaultAccount
	// Users are the policies of users. EveryUser: there is one, for all of them.
	Users     []VaultPolicy
	EveryUser bool
}

// VaultPolicy is a policy with its rules in Vault's language.
type VaultPolicy struct{ Name, Rules string }

// VaultAccount is the policy of one of the job's service accounts, and the role that gives it.
type VaultAccount struct {
	About    string // one sentence for the reader
	Policy   VaultPolicy
	RolePath string
	Role     any // the body of the role, written as JSON
}

// VaultScript writes a setup as a script for sh and the vault CLI. In its here-documents the shell expands nothing.
func VaultScript(s VaultSetup) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("#!/bin/sh\n" + warning(s.Namespace))
	fmt.Fprintf(&b, "#\n# Made by certsync manifests --vault for owner %s. Needs the vault CLI, logged in, and the kubernetes auth method set up at\n"+
		"# auth/%s: https://developer.hashicorp.com/vault/docs/auth/kubernetes\nset -eu\n", s.Owner, s.AuthMount)
	for _, account := range s.Accounts {
		fmt.Fprintf(&b, "\n# %s\n", account.About)
		writePolicy(&b, account.Policy)
		body, err := json.MarshalIndent(account.Role, "", "  ")
		if err != nil {
			return nil, err
		}
		heredoc(&b, "vault write "+shell.Quote(account.RolePath), string(body)+"\n")
	}
	b.WriteString("\n" + aboutUsers(s.EveryUser))
	for _, policy := range s.Users {
		writePolicy(&b, policy)
	}
	return b.Bytes(), nil
}

// aboutUsers says which users the administrator gives the users' policies to.
func aboutUsers(everyUser bool) string {
	if !everyUser {
		return "# One policy a user, who may read their own credential: to be given to them, by their entity or their role at an auth\n" +
			"# method. Take it from who leaves, before somebody else is given the name: it is not certsync's to take.\n"
	}
	return `# One policy for all users, to be given to everybody who logs in by that auth method. Who has a user's name as their alias
# there may read that user's credential: the auth method must give a name to nobody else, and to nobody
# anew who left. The second rule is for aliases that
# hold wildcards: "*", "+" and "ali*" match nothing. It also keeps whoever has this policy from all others' credentials, unless
# another policy names their whole path.
`
}

func writePolicy(b *bytes.Buffer, policy VaultPolicy) {
	heredoc(b, "vault policy write "+shell.Quote(policy.Name), policy.Rules)
}

// heredoc writes a command that reads text as its input.
func heredoc(b *bytes.Buffer, command, text string) {
	fmt.Fprintf(b, "%s - <<'EOF'\n%sEOF\n", command, text)
}
