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
		return reconcile.Credential{}, reconcile.WithHint(fmt.Errorf("the key of %q is not in Vault: the certificate is for a request that the user made", user),
			"name the file that holds the request's key: --client-key FILE; if kubectl runs this, certsync kubeconfig --merge --exec --client-key FILE has it do so with the key")
	case file == "":
		return c, nil
	case stored:
		return reconcile.Credential{}, reconcile.WithHint(fmt.Errorf("--client-key: the key of %q is in Vault, with the certificate", user),
			"leave --client-key out; certsync issues for a key of the user's own when the inventory names their request")
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
