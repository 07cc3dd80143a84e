package main

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/certsync/certsync/cmd/certsync/internal/invocation"
	"github.com/certsync/certsync/reconcile/kube/kubeconfig"
)

// plugin returns the command that kubectl will run, in any folder and environment. It keeps the flags and variables that
// locate Vault, and no secret. The owner is left out, since each has a kubeconfig of its own.
func (c kubeconfigCmd) plugin(p program) (kubeconfig.Plugin, error) {
	command, err := c.command()
	if err != nil {
		return kubeconfig.Plugin{}, err
	}
	args := []string{"--user=" + c.User}
	for _, f := range []struct {
		flag, value, usual string
		file               bool
	}{
		{"vault-mount", c.VaultMount, "secret", false},
		{"vault-prefix", c.VaultPrefix, "certsync", false},
		{"vault-auth", c.VaultAuth, "token", false},
		{"vault-auth-mount", c.VaultAuthMount, "", false},
		{"vault-role", c.VaultRole, "", false},
		{"vault-token-file", c.VaultTokenFile, "", true},
		{"vault-role-id", c.VaultRoleID, "", false},
		{"vault-secret-id-file", c.VaultSecretIDFile, "", true},
		{"client-key", c.ClientKey, "", true},
	} {
		if f.value == f.usual {
			continue
		}
		if f.file {
			if f.value, err = filepath.Abs(f.value); err != nil {
				return kubeconfig.Plugin{}, fmt.Errorf("finding the file of --%s: %w", f.flag, err)
			}
		}
		args = append(args, "--"+f.flag+"="+f.value)
	}
	env, err := c.environment(p)
	return kubeconfig.Plugin{Command: command, Args: args, Env: env}, err
}

// command is the program that kubectl will run. A path in --exec-command becomes absolute; a plain name stays.
func (c kubeconfigCmd) command() (string, error) {
	switch {
	case c.ExecCommand == "":
		return invocation.Command()
	case filepath.Base(c.ExecCommand) == c.ExecCommand:
		return c.ExecCommand, nil
	}
	path, err := filepath.Abs(c.ExecCommand)
	if err != nil {
		return "", fmt.Errorf("finding the program of --exec-command: %w", err)
	}
	return path, nil
}

// The variables that say where Vault is and how to reach it. No other variable is written to a file, since VAULT_TOKEN and
// VAULT_HEADERS hold secrets.
var (
	plainVariables   = []string{"VAULT_NAMESPACE", "VAULT_CACERT_BYTES", "VAULT_TLS_SERVER_NAME", "VAULT_SKIP_VERIFY", "VAULT_CLIENT_TIMEOUT"}
	addressVariables = []string{"VAULT_ADDR", "VAULT_AGENT_ADDR", "VAULT_PROXY_ADDR", "VAULT_HTTP_PROXY"}
	fileVariables    = []string{"VAULT_CACERT", "VAULT_CAPATH", "VAULT_CLIENT_CERT", "VAULT_CLIENT_KEY", "VAULT_CONFIG_PATH"}
)

// environment returns the variables of this environment that the plugin needs, with absolute paths.
func (kubeconfigCmd) environment(p program) ([]string, error) {
	var env []string
	for _, name := range addressVariables {
		value := os.Getenv(name)
		if u, err := url.Parse(value); err != nil || u.User != nil {
			fmt.Fprintf(p.stderr, "certsync: warning: %s contains a user name or a password, so the kubeconfig does not get it; set it where kubectl runs\n", name)
		} else if value != "" {
			env = append(env, name+"="+value)
		}
	}
	for _, name := range plainVariables {
		if value := os.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	for _, name := range fileVariables {
		value := os.Getenv(name)
		if value == "" {
			continue
		}
		path, err := filepath.Abs(value)
		if err != nil {
			return nil, fmt.Errorf("finding the file of %s: %w", name, err)
		}
		env = append(env, name+"="+path)
	}
	return env, nil
}
