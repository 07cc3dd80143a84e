package starter

import (
	"context"
	"strings"

	"github.com/certsync/certsync/cmd/certsync/internal/prompt"
	"github.com/certsync/certsync/inventory"
)

// Given says which fields a flag has set. Ask does not ask for them.
type Given struct{ Owner, Server, Users bool }

// Ask asks a person for the fields that no flag gives. The values in n are the defaults.
func (n *Inventory) Ask(ctx context.Context, t prompt.Terminal, given Given) (err error) {
	if !given.Owner {
		if n.Owner, err = t.Ask(ctx, "Owner, the name of this inventory in the cluster and in Vault", n.Owner, OwnerFault); err != nil {
			return err
		}
	}
	if !given.Server {
		server, err := t.Ask(ctx, "Address of the API server, as users reach it", n.Cluster.Server, func(s string) string {
			return inventory.Cluster{Server: s}.Fault()
		})
		if err != nil {
			return err
		}
		n.SetServer(server)
	}
	if !given.Users {
		users, err := t.Ask(ctx, "Names of users, with blanks between them", "", func(s string) string {
			for _, user := range strings.Fields(s) {
				if fault := UserFault(user); fault != "" {
					return fault
				}
			}
			return ""
		})
		if err != nil {
			return err
		}
		n.Users = strings.Fields(users)
	}
	return nil
}

// SetServer sets the address of the API server. The name in its certificate was for the old address.
func (n *Inventory) SetServer(address string) {
	if address != n.Cluster.Server {
		n.Cluster.Server, n.Cluster.TLSServerName = address, ""
	}
}

// OwnerFault returns why a text cannot be an owner, or "".
func OwnerFault(text string) string {
	if !inventory.ValidOwner(text) {
		return "a-z, 0-9 and - are allowed, the first and the last not a -, at most 40 in all"
	}
	return ""
}

// UserFault returns why a text cannot be the name of a user, or "".
func UserFault(text string) string {
	if !inventory.ValidName(text) {
		return "letters, digits and . _ @ + - are allowed, the first and the last a letter or digit, at most 64 in all"
	}
	return ""
}
