package credentials

import (
	"fmt"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/kubeconfig"
	"github.com/certsync/certsync/reconcile/pki"
)

// AddKey returns a user's credential with its key: the key from Vault, or the one in the file that --client-key names. If
// the credential has a kubeconfig, the key is added there too. The key must be in exactly one of the two places. file is ""
// without --client-key.
func AddKey(user string, c reconcile.Credential, file string) (reconcile.Credential, error) {
	stored := len(c.Key.Reveal()) > 0
	switch {
	case file == "" && !stored:
		return reconcile.Credential{}, reconcile.WithHint(fmt.Errorf("the key of %q is not in Vault: the certificate was issued for the user's own signing request", user),
			"set --client-key to the file with the key of that request; if kubectl runs certsync, run certsync kubeconfig --merge --exec --client-key FILE once")
	case file == "":
		return c, nil
	case stored:
		return reconcile.Credential{}, reconcile.WithHint(fmt.Errorf("--client-key: the key of %q is in Vault, with the certificate", user),
			"leave out --client-key; it is only for users whose own signing request is in the inventory")
	}
	key, err := ReadKeyFile(file)
	if err != nil {
		return reconcile.Credential{}, fmt.Errorf("--client-key: %w", err)
	}
	if c, err = pki.WithKey(c, reconcile.NewSecret(key)); err != nil {
		return reconcile.Credential{}, fmt.Errorf("--client-key: %q: %w", file, err)
	}
	if len(c.Kubeconfig.Reveal()) > 0 {
		c.Kubeconfig, err = kubeconfig.WithKey(c.Kubeconfig, c.Key)
	}
	return c, err
}
