package main

import (
	"fmt"
	"path/filepath"

	"github.com/certsync/certsync/cmd/certsync/internal/credentials"
	"github.com/certsync/certsync/cmd/certsync/internal/invocation"
	"github.com/certsync/certsync/cmd/certsync/internal/vaultlogin"
	"github.com/certsync/certsync/reconcile/kube/kubeconfig"
)

// plugin returns the command that kubectl will run, in any folder and environment. It keeps the flags and variables that
// locate Vault, and no secret. Flags with their default, or empty, are among them: a shell may have CERTSYNC_VAULT_AUTH or
// CERTSYNC_VAULT_ROLE for an apply. The owner is left out, since each has a kubeconfig of its own.
func (c kubeconfigCmd) plugin(p program) (kubeconfig.Plugin, error) {
	command, err := invocation.Command(c.ExecCommand)
	if err != nil {
		return kubeconfig.Plugin{}, err
	}
	args := []string{"--user=" + c.User}
	for _, f := range []struct {
		flag, value string
		file        bool
	}{
		{"vault-mount", c.VaultMount, false},
		{"vault-prefix", c.VaultPrefix, false},
		{"vault-auth", c.VaultAuth, false},
		{"vault-auth-mount", c.VaultAuthMount, false},
		{"vault-role", c.VaultRole, false},
		{"vault-token-file", c.VaultTokenFile, true},
		{"vault-role-id", c.VaultRoleID, false},
		{"vault-secret-id-file", c.VaultSecretIDFile, true},
		{"client-key", c.ClientKey, true},
	} {
		if f.file && f.value != "" {
			if f.value, err = filepath.Abs(f.value); err != nil {
				return kubeconfig.Plugin{}, fmt.Errorf("finding the file of --%s: %w", f.flag, err)
			}
		}
		args = append(args, "--"+f.flag+"="+f.value)
	}
	env, err := credentials.PluginEnvironment(func(text string) { fmt.Fprintf(p.stderr, "certsync: warning: %s\n", text) })
	if c.VaultAuth != "approle" || c.VaultSecretIDFile != "" {
		env = append(env, vaultlogin.SecretIDVariable+"=")
	}
	return kubeconfig.Plugin{Command: command, Args: args, Env: env}, err
}
