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
	ClientKey string `placeholder:"FILE" help:"Your private key, in a PEM file that only you can read. For a certificate that was issued for your own signing request: its key is not in Vault."`
}

// credentialFlags name a credential in Vault. The commands of users have them, and need no inventory.
type credentialFlags struct {
	Owner      string `required:"" placeholder:"NAME" help:"Owner of the inventory that lists you."`
	User       string `required:"" placeholder:"NAME" help:"Your name in the inventory."`
	vaultFlags `group:"Vault:"`
}

// validate refuses names that are not valid in an inventory.
func (f credentialFlags) validate() error {
	switch {
	case f.Owner != "" && !inventory.ValidOwner(f.Owner): // kong says what is missing
		return errors.New("--owner: " + starter.OwnerFault(f.Owner))
	case f.User != "" && !inventory.ValidName(f.User):
		return errors.New("--user: " + starter.UserFault(f.User))
	}
	return f.vaultLoginFlags.Validate()
}

// AfterApply refuses an empty name, which an unset variable leaves in a script.
func (f credentialFlags) AfterApply() error {
	switch "" {
	case f.Owner:
		return errors.New("--owner is empty: set it to the owner of the inventory")
	case f.User:
		return errors.New("--user is empty: set it to your name in the inventory")
	}
	return nil
}

// fetch reads the credential from Vault, and revokes its token before it returns. timeout is how long each request may take;
// 0 means as long as in other commands.
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
