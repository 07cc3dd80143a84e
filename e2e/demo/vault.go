package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/hashicorp/vault/api"
)

// fetch does what `vault kv get` does, which a machine with nothing but Go, git and make does not have.
func (t *terminal) fetch(ctx context.Context, owner string, cast cast) error {
	path := "certsync/" + owner + "/users/" + cast.user
	fmt.Printf("\n$ vault kv get -field=kubeconfig secret/%s > %s\n", path, cast.kubeconfig)
	secret, err := t.get(ctx, path)
	if err != nil {
		return err
	}
	kubeconfig, ok := secret.Data["kubeconfig"].(string)
	if !ok {
		return fmt.Errorf("reading %q: it has no kubeconfig", path)
	}
	return os.WriteFile(t.expand(cast.kubeconfig), []byte(kubeconfig), 0o600)
}

// fetchNothing shows that there is no credential any more.
func (t *terminal) fetchNothing(ctx context.Context, owner string, cast cast) error {
	path := "certsync/" + owner + "/users/" + cast.user
	fmt.Printf("\n$ vault kv get -field=kubeconfig secret/%s\n", path)
	if _, err := t.get(ctx, path); !errors.Is(err, api.ErrSecretNotFound) {
		return fmt.Errorf("reading %q: expected it to be gone, got: %w", path, err)
	}
	fmt.Printf("No value found at secret/data/%s\n", path)
	return nil
}

func (t *terminal) get(ctx context.Context, path string) (*api.KVSecret, error) {
	config := api.DefaultConfig()
	if config.Error != nil {
		return nil, config.Error
	}
	config.Address = t.servers.VaultAddr
	if err := config.ConfigureTLS(&api.TLSConfig{CACert: t.servers.VaultCACert}); err != nil {
		return nil, err
	}
	client, err := api.NewClient(config)
	if err != nil {
		return nil, err
	}
	client.ClearNamespace() // the developer's own, if one is set
	client.SetToken(t.servers.VaultToken)
	return client.KVv2("secret").Get(ctx, path)
}
