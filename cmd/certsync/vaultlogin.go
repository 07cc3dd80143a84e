package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/vaultstore"
)

// secretIDVariable holds approle's secret ID. No flag takes it, since everybody on the machine can see command lines.
const secretIDVariable = envPrefix + "_VAULT_SECRET_ID"

// vaultLoginFlags say how to log in to Vault.
type vaultLoginFlags struct {
	VaultAuth         string `enum:"token,kubernetes,approle,jwt" default:"token" placeholder:"token|kubernetes|approle|jwt" help:"How to log in to Vault. token takes the one that the vault CLI has; what the others give is revoked at the end (default: ${default})."`
	VaultAuthMount    string `placeholder:"PATH" help:"Where that method is mounted, instead of at its own name."`
	VaultRole         string `placeholder:"NAME" help:"With --vault-auth=kubernetes or jwt: the role to log in to."`
	VaultTokenFile    string `placeholder:"FILE" help:"With --vault-auth=kubernetes or jwt: the JWT; with kubernetes, the pod's service account token if none is named."`
	VaultRoleID       string `placeholder:"ID" help:"With --vault-auth=approle: the role ID. The secret ID stands in $$CERTSYNC_VAULT_SECRET_ID, or in a file."`
	VaultSecretIDFile string `placeholder:"FILE" help:"With --vault-auth=approle: the file with the secret ID."`
}

// Validate is called by kong after parsing. It refuses flags that do not go together.
func (f vaultLoginFlags) Validate() error {
	byRole, approle := f.VaultAuth == "kubernetes" || f.VaultAuth == "jwt", f.VaultAuth == "approle"
	secretID := os.Getenv(secretIDVariable) != ""
	for _, useless := range []struct {
		flag  string
		given bool
		with  string
	}{
		{"--vault-auth-mount", !byRole && !approle && f.VaultAuthMount != "", "kubernetes, approle or jwt"},
		{"--vault-role", !byRole && f.VaultRole != "", "kubernetes or jwt"},
		{"--vault-token-file", !byRole && f.VaultTokenFile != "", "kubernetes or jwt"},
		{"--vault-role-id", !approle && f.VaultRoleID != "", "approle"},
		{"--vault-secret-id-file", !approle && f.VaultSecretIDFile != "", "approle"},
		{secretIDVariable, !approle && secretID, "approle"},
	} {
		if useless.given {
			return fmt.Errorf("%s: without --vault-auth=%s it does nothing", useless.flag, useless.with)
		}
	}
	switch {
	case byRole && f.VaultRole == "":
		return fmt.Errorf("--vault-auth=%s wants a role: --vault-role NAME", f.VaultAuth)
	case f.VaultAuth == "jwt" && f.VaultTokenFile == "":
		return errors.New("--vault-auth=jwt wants the JWT: --vault-token-file FILE")
	case approle && f.VaultRoleID == "":
		return errors.New("--vault-auth=approle wants the role ID: --vault-role-id ID")
	case approle && f.VaultSecretIDFile == "" && !secretID:
		return errors.New("--vault-auth=approle wants the secret ID: --vault-secret-id-file FILE, or " + secretIDVariable + " in the environment")
	case approle && f.VaultSecretIDFile != "" && secretID:
		return errors.New("--vault-secret-id-file: the secret ID also stands in " + secretIDVariable + ", and only one can count")
	}
	return nil
}

// login returns the login that the flags ask for.
func (f vaultLoginFlags) login() vaultstore.Login {
	l := vaultstore.Login{
		Method: f.VaultAuth, Mount: f.VaultAuthMount, Role: f.VaultRole, TokenFile: f.VaultTokenFile,
		RoleID: f.VaultRoleID, SecretIDFile: f.VaultSecretIDFile,
	}
	if id := os.Getenv(secretIDVariable); id != "" {
		l.SecretID = reconcile.NewSecret([]byte(id))
	}
	return l
}

// leave revokes the token of a login. A failure is printed and does not change how the run ended: its work is done, and
// the token expires by itself.
func (p program) leave(ctx context.Context, store *vaultstore.Store) {
	if err := store.Close(ctx); err != nil {
		p.complain(err)
	}
}
