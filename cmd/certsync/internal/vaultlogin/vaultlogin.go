// Package vaultlogin has the flags of a login to Vault, and reads the CA of its certificate.
package vaultlogin

import (
	"errors"
	"fmt"
	"os"

	"github.com/certsync/certsync/cmd/certsync/internal/variables"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/vaultstore"
)

// SecretIDVariable holds approle's secret ID. No flag takes it, because all users of the machine can see command lines.
const SecretIDVariable = variables.Prefix + "_VAULT_SECRET_ID"

// Flags choose the method and say what it needs.
type Flags struct {
	VaultAuth         string `enum:"token,kubernetes,approle,jwt" default:"token" placeholder:"token|kubernetes|approle|jwt" help:"Auth method for Vault. token uses the vault CLI's token. certsync revokes the token of any other method when it ends (default: ${default})."`
	VaultAuthMount    string `placeholder:"PATH" help:"Mount path of the auth method (default: the method's name)."`
	VaultRole         string `placeholder:"NAME" help:"With --vault-auth=kubernetes or jwt: role for the login."`
	VaultTokenFile    string `placeholder:"FILE" help:"With --vault-auth=kubernetes or jwt: file with the JWT. kubernetes uses the pod's service account token by default."`
	VaultRoleID       string `placeholder:"ID" help:"With --vault-auth=approle: the role ID. Set the secret ID in $$CERTSYNC_VAULT_SECRET_ID, or in a file."`
	VaultSecretIDFile string `placeholder:"FILE" help:"With --vault-auth=approle: file with the secret ID."`
}

// Validate is called by kong after parsing. It refuses combinations of flags that make no sense.
func (f Flags) Validate() error {
	byRole, approle := f.VaultAuth == "kubernetes" || f.VaultAuth == "jwt", f.VaultAuth == "approle"
	secretID := os.Getenv(SecretIDVariable) != ""
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
		{SecretIDVariable, !approle && secretID, "approle"},
	} {
		if useless.given {
			return fmt.Errorf("%s requires --vault-auth=%s", useless.flag, useless.with)
		}
	}
	switch {
	case byRole && f.VaultRole == "":
		return fmt.Errorf("--vault-auth=%s requires a role: set --vault-role NAME", f.VaultAuth)
	case f.VaultAuth == "jwt" && f.VaultTokenFile == "":
		return errors.New("--vault-auth=jwt requires a JWT: set --vault-token-file FILE")
	case approle && f.VaultRoleID == "":
		return errors.New("--vault-auth=approle requires a role ID: set --vault-role-id ID")
	case approle && f.VaultSecretIDFile == "" && !secretID:
		return errors.New("--vault-auth=approle requires a secret ID: set --vault-secret-id-file FILE, or " + SecretIDVariable + " in the environment")
	case approle && f.VaultSecretIDFile != "" && secretID:
		return errors.New("--vault-secret-id-file cannot be used while " + SecretIDVariable + " is set: unset one of them")
	}
	return nil
}

// Login returns the login that the flags choose.
func (f Flags) Login() vaultstore.Login {
	l := vaultstore.Login{
		Method: f.VaultAuth, Mount: f.VaultAuthMount, Role: f.VaultRole, TokenFile: f.VaultTokenFile,
		RoleID: f.VaultRoleID, SecretIDFile: f.VaultSecretIDFile,
	}
	if id := os.Getenv(SecretIDVariable); id != "" {
		l.SecretID = reconcile.NewSecret([]byte(id))
	}
	return l
}
