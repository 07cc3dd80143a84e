package render

import (
	"fmt"

	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/inventory"
)

// Validated sums up an inventory without problems in one line. The digest is labelled, because apply --expect takes another one.
func Validated(file string, inv *inventory.Inventory) []byte {
	return fmt.Appendf(nil, "%s: owner %s, %s, %s. Inventory digest: %s\n",
		terminal.Clean(file), inv.Owner, terminal.Plural(len(inv.Users), "user"), terminal.Plural(len(inv.Groups), "group"), inv.Digest())
}
