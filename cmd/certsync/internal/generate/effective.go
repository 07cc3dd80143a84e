package generate

import (
	"fmt"

	"github.com/certsync/certsync/inventory"
)

// Effective writes what an inventory says for one of its clusters, as an inventory for that cluster alone.
func Effective(name, cluster string, inv *inventory.Inventory) []byte {
	c := inventory.Comments{Head: comment("", fmt.Sprintf("The inventory of cluster %s, from %s.", cluster, name)), Users: map[string][]string{}}
	for _, u := range inv.Users {
		if u.Request != nil {
			c.Users[u.Name] = comment("", "This user has a signing request of their own, which is not shown here.")
		}
	}
	return inv.Encode(c)
}
