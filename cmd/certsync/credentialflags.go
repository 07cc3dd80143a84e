package main

import (
	"context"
	"errors"
	"time"

	"github.com/certsync/certsync/cmd/certsync/internal/starter"
	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/vaultstore"
)

// clientKeyFlags name the file of a key that never left its user.
type clientKeyFlags struct {
	ClientKey string `placeholder:"FILE" help:"Your key, if the certificate was issued for a request of your own and the key is not in Vault: a PEM file that nobody else can read."`
}

// credentialFlags name a credential in Vault. The commands of users have them, and need no inventory.
type credentialFlags struct {
	Owner      string `required:"" placeholder:"NAME" help:"Owner of the inventory that the user is in."`
	User       string `required:"" placeholder:"NAME" help:"Whose credential: your own name, as in the inventory."`
	vaultFlags `group:"Vault:"`
}

// validate refuses names that no inventory can have.
func (f credentialFlags) validate() error {
	switch {
	case f.Owner != "" && !inventory.ValidOwner(f.Owner): // kong says what is missing
		return errors.New("--owner: " + starter.OwnerFault(f.Owner))
	case f.User != "" && !inventory.ValidName(f.User):
		return errors.New("--user: " + starter.UserFault(f.User))
	}
	return f.vaultLoginFlags.Validate()
}

// AfterApply refuses an empty name. It is what an unset variable leaves in a script.
func (f credentialFlags) AfterApply() error {
	switch "" {
	case f.Owner:
		return errors.New("--owner: it is empty; name the inventory's owner")
	case f.User:
		return errors.New("--user: it is empty; name yourself as the inventory does")
	}
	return nil
}

// fetch reads the credential from Vault, and gives up its token before it returns. Each request may take as long as timeout;
// 0: as long as in other commands.
func (f credentialFlags) fetch(ctx context.Context, p program, timeout time.Duration) (vaultstore.Stored, error) {
	o := f.options(f.Owner)
	o.Patience = timeout
	store, err := vaultstore.OpenUser(ctx, o)
	if err != nil {
		return vaultstore.Stored{}, err
	}
	defer p.leave(ctx, store)
	return store.ReadCredential(ctx, f.User)
}
