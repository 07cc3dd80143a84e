package render

import (
	"fmt"

	"github.com/certsync/certsync/inventory"
)

// Validated says in one line what an inventory without problems holds.
func Validated(file string, inv *inventory.Inventory) []byte {
	return fmt.Appendf(nil, "%s: owner %s, %s, %s, %s\n",
		Clean(file), inv.Owner, plural(len(inv.Users), "user"), plural(len(inv.Groups), "group"), inv.Digest())
}
