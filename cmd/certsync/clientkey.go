package main

import (
	"fmt"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/kubeconfig"
)

// clientKeyFlags say where a key is that never left its user.
type clientKeyFlags struct {
	ClientKey string `placeholder:"FILE" help:"Your key, if the certificate was issued for a request of your own and the key is not in Vault: a PEM file that nobody else can read."`
}

// complete returns a credential with its key: the one in Vault, or the one in the file. The kubeconfig, if there is one, has it
// as well.
func (f clientKeyFlags) complete(user string, c reconcile.Credential) (reconcile.Credential, error) {
	stored := len(c.Key.Reveal()) > 0
	switch {
	case f.ClientKey == "" && !stored:
		return reconcile.Credential{}, reconcile.WithHint(fmt.Errorf("the key of %q is not in Vault: the certificate is for a request that the user made", user),
			"name the file that holds the request's key: --client-key FILE; if kubectl runs this, certsync kubeconfig --merge --exec --client-key FILE has it do so with the key")
	case f.ClientKey == "":
		return c, nil
	case stored:
		return reconcile.Credential{}, reconcile.WithHint(fmt.Errorf("--client-key: the key of %q is in Vault, with the certificate", user),
			"leave --client-key out; certsync issues for a key of the user's own when the inventory names their request")
	}
	key, err := readPEMFile(f.ClientKey, onlyOurs)
	if err != nil {
		return reconcile.Credential{}, fmt.Errorf("--client-key: %w", err)
	}
	if c, err = c.WithKey(reconcile.NewSecret(key)); err != nil {
		return reconcile.Credential{}, fmt.Errorf("--client-key: %q: %w", f.ClientKey, err)
	}
	if len(c.Kubeconfig.Reveal()) > 0 {
		c.Kubeconfig, err = kubeconfig.WithKey(c.Kubeconfig, c.Key)
	}
	return c, err
}
