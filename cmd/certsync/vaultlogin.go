package main

import (
	"context"

	"github.com/certsync/certsync/cmd/certsync/internal/vaultlogin"
	"github.com/certsync/certsync/vaultstore"
)

// vaultLoginFlags choose how to log in to Vault.
type vaultLoginFlags = vaultlogin.Flags

// leave revokes the token of a login. It only prints a failure: the work is done, and the token expires by itself.
func (p program) leave(ctx context.Context, store *vaultstore.Store) {
	if err := store.Close(ctx); err != nil {
		p.complain(err)
	}
}
