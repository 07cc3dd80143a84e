package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	Owner string `required:"" placeholder:"NAME" help:"Owner of the inventory that lists you."`
	userFlags
}

// userFlags name a user, and say where the credentials are in Vault.
type userFlags struct {
	User       string `required:"" placeholder:"NAME" help:"Your name in the inventory."`
	vaultFlags `group:"Vault:"`
}

// validate refuses names that are not valid in an inventory.
func (f userFlags) validate(owners ...string) error {
	for i, owner := range owners {
		switch {
		case owner != "" && !inventory.ValidOwner(owner): // kong says what is missing
			return errors.New("--owner: " + starter.OwnerFault(owner))
		case slices.Contains(owners[:i], owner):
			return fmt.Errorf("--owner: %s is there twice", owner)
		}
	}
	if f.User != "" && !inventory.ValidName(f.User) {
		return errors.New("--user: " + starter.UserFault(f.User))
	}
	return f.vaultLoginFlags.Validate()
}

// refuseEmpty refuses an empty name, which an unset variable leaves in a script.
func (f userFlags) refuseEmpty(owners ...string) error {
	switch {
	case len(owners) == 0, slices.Contains(owners, ""):
		return errors.New("--owner is empty: set it to the owner of the inventory")
	case f.User == "":
		return errors.New("--user is empty: set it to your name in the inventory")
	}
	return nil
}

// AfterApply is called by kong after parsing, also for an empty flag.
func (f credentialFlags) AfterApply() error { return f.refuseEmpty(f.Owner) }

// fetch reads the credential of an owner from Vault, and revokes its token before it returns. timeout is how long each request may take;
// 0 means as long as in other commands.
func (f userFlags) fetch(ctx context.Context, p program, owner string, timeout time.Duration) (vaultstore.Stored, error) {
	o := f.options(owner)
	o.Patience = timeout
	store, err := vaultstore.OpenUser(ctx, o)
	if err != nil {
		return vaultstore.Stored{}, err
	}
	defer p.leave(ctx, store)
	return store.ReadCredential(ctx, f.User)
}
