package render

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/certsync/certsync/inventory/shell"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/removals"
)

// Emergency shows commands for a shell, each on a line. The lines above them are comments without quotes and other signs that a
// shell acts upon: a shell that a person types in may take no comments.
func Emergency(e removals.Emergency) []byte {
	var b bytes.Buffer
	for i, u := range e.Users {
		if i > 0 {
			b.WriteByte('\n')
		}
		comment := func(format string, args ...any) { fmt.Fprintf(&b, "# "+format+"\n", args...) }
		name := shell.Quote(u.Name)
		if len(u.Commands) == 0 {
			comment("At %s, certsync has nothing bound to %s as owner %s.", reconcile.TimeText(e.At), name, e.Owner)
		} else {
			comment("Take %s out of everything that certsync gave as owner %s, in every epoch.", name, e.Owner)
			comment("This is from %s. Run it as a cluster administrator.", reconcile.TimeText(e.At))
		}
		comment("The certificate stays valid until it ends. Access that others give to the name or the groups stays.")
		if u.InInventory {
			comment("The next apply gives the access back. To prevent that, remove the user from the inventory, or add this line there:")
			comment("  revokedBefore: %s", removals.RevokedBefore(e.At))
		}
		if strings.Contains(strings.Join(u.Commands, "\n"), "kubectl patch ") {
			comment("A patch fails if the subjects have changed since. Then look up the index of the name with kubectl get and -o yaml.")
		}
		for _, command := range u.Commands {
			b.WriteString(command + "\n")
		}
	}
	return b.Bytes()
}
