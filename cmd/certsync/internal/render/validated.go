package render

import (
	"fmt"

	"github.com/certsync/certsync/inventory"
)

// Validated sums up an inventory without problems in one line. The digest is labelled, because apply --expect takes another one.
func Validated(file string, inv *inventory.Inventory) []byte {
	return fmt.Appendf(nil, "%s: owner %s, %s, %s. Inventory digest: %s\n",
		Clean(file), inv.Owner, plural(len(inv.Users), "user"), plural(len(inv.Groups), "group"), inv.Digest())
}
