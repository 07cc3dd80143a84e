package generate

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/certsync/certsync/inventory/shell"
)

// VaultSetup holds the policies and roles that a deployment needs in Vault.
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

// VaultScript writes a setup as a script for sh and the vault CLI. In its here-documents the shell expands nothing. The roles come
// last, since they need the kubernetes auth method: a Vault without it has the policies all the same.
func VaultScript(s VaultSetup) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("#!/bin/sh\n" + warning(s.Namespace))
	fmt.Fprintf(&b, "#\n# Made by certsync manifests --vault for owner %s. Log in with the vault CLI first.\nset -eu\n\n%s", s.Owner, aboutUsers(s.EveryUser))
	for _, policy := range s.Users {
		writePolicy(&b, policy)
	}
	for _, account := range s.Accounts {
		fmt.Fprintf(&b, "\n# %s\n", account.About)
		writePolicy(&b, account.Policy)
	}
	fmt.Fprintf(&b, "\n# The logins of the CronJob. They need Vault's kubernetes auth method at auth/%s. Without the CronJob, leave them out.\n"+
		"# https://developer.hashicorp.com/vault/docs/auth/kubernetes\n", s.AuthMount)
	for _, account := range s.Accounts {
		body, err := json.MarshalIndent(account.Role, "", "  ")
		if err != nil {
			return nil, err
		}
		heredoc(&b, "vault write "+shell.Quote(account.RolePath), string(body)+"\n")
	}
	return b.Bytes(), nil
}

// aboutUsers explains to which users the administrator gives the users' policies.
func aboutUsers(everyUser bool) string {
	if !everyUser {
		return "# One policy for each user. It allows the user to read their own credential. Give it to the user's entity, or to the user's\n" +
			"# role at an auth method. certsync cannot remove it: remove it when the user leaves, before another person gets the name.\n"
	}
	return `# One policy for all users. Give it to everybody who logs in with that auth method. A person whose alias there is a user's
# name may read that user's credential. So the auth method must not give that name to another person, even after the user
# has left. The second rule is for aliases with wildcards: "*", "+" and "ali*" match nothing. The rule also denies all
# other users' credentials, unless another policy has a rule whose first wildcard is later in the path, or that has none. So
# give users no rule such as "secret/data/*". An administrator with a rule such as "*" or "secret/*" must not have this policy,
# or needs the policy of apply too.
`
}

func writePolicy(b *bytes.Buffer, policy VaultPolicy) {
	heredoc(b, "vault policy write "+shell.Quote(policy.Name), policy.Rules)
}

// heredoc writes a command that reads text as its input.
func heredoc(b *bytes.Buffer, command, text string) {
	fmt.Fprintf(b, "%s - <<'EOF'\n%sEOF\n", command, text)
}
