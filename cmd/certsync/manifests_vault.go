package main

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/deploy"
	"github.com/certsync/certsync/vaultstore"
)

// roleName is what a job's role in Vault is called, and the policy that it gives.
func roleName(owner string) string { return reconcile.LockName(owner) }

// vaultScript is the Vault side of a deployment, for sh and the vault CLI.
func (c manifestsCmd) vaultScript(inv *inventory.Inventory) ([]byte, error) {
	policies, err := vaultstore.NewPolicies(vaultstore.Options{Owner: inv.Owner, Mount: c.VaultMount, Prefix: c.VaultPrefix})
	if err != nil {
		return nil, err
	}
	users, err := c.userPolicies(policies, inv)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString("#!/bin/sh\n" + c.warning())
	fmt.Fprintf(&b, "#\n# Made by certsync manifests --vault for owner %s. Needs the vault CLI, logged in, and the kubernetes auth method set up at\n"+
		"# auth/%s: https://developer.hashicorp.com/vault/docs/auth/kubernetes\nset -eu\n", inv.Owner, c.VaultAuth)
	for _, account := range []struct {
		name, about string
		policy      vaultstore.Policy
	}{
		{deploy.ApplyAccount, "apply writes credentials, and never reads one.", policies.Apply()},
		{deploy.PlanAccount, "plan and status only read, and no credential.", policies.Plan()},
	} {
		fmt.Fprintf(&b, "\n# %s\n", account.about)
		writePolicy(&b, account.policy)
		role, err := account.policy.Role(c.VaultAuth, c.Namespace, account.name, c.VaultAudience)
		if err != nil {
			return nil, err
		}
		body, err := json.MarshalIndent(role.Body, "", "  ")
		if err != nil {
			return nil, err
		}
		heredoc(&b, "vault write "+inventory.ShellQuote(role.Path), append(body, '\n'))
	}
	b.WriteString("\n" + c.aboutUsers())
	for _, policy := range users {
		writePolicy(&b, policy)
	}
	return b.Bytes(), nil
}

func (c manifestsCmd) userPolicies(policies vaultstore.Policies, inv *inventory.Inventory) ([]vaultstore.Policy, error) {
	if c.UsersAccessor != "" {
		everybody, err := policies.EveryUser(c.UsersAccessor)
		return []vaultstore.Policy{everybody}, err
	}
	var all []vaultstore.Policy
	for _, u := range inv.Users {
		policy, err := policies.OneUser(u.Name)
		if err != nil {
			return nil, err
		}
		all = append(all, policy)
	}
	return all, nil
}

// aboutUsers says what the users' policies are to be given to.
func (c manifestsCmd) aboutUsers() string {
	if c.UsersAccessor == "" {
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

func writePolicy(b *bytes.Buffer, policy vaultstore.Policy) {
	heredoc(b, "vault policy write "+inventory.ShellQuote(policy.Name), []byte(policy.Rules))
}

// heredoc is a command that reads text, in which the shell expands nothing.
func heredoc(b *bytes.Buffer, command string, text []byte) {
	fmt.Fprintf(b, "%s - <<'EOF'\n%sEOF\n", command, text)
}

// maxCertificates is the most that a file of --vault-ca may hold.
const maxCertificates = 64 << 10

// readCertificates reads a PEM file, "" is none. Anything else in it, such as a key, is left out.
func readCertificates(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	data, err := inventory.ReadRegular(path, maxCertificates)
	if err != nil {
		return nil, fmt.Errorf("reading Vault's CA: %w (--vault-ca)", err)
	}
	var certificates []byte
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return nil, fmt.Errorf("reading Vault's CA from %q: %w (--vault-ca)", path, errors.New("a certificate in it cannot be read"))
		}
		certificates = append(certificates, pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes})...)
	}
	if certificates == nil {
		return nil, reconcile.WithHint(fmt.Errorf("reading Vault's CA from %q: it holds no certificate (--vault-ca)", path),
			"a PEM file is wanted, as for VAULT_CACERT")
	}
	return certificates, nil
}
