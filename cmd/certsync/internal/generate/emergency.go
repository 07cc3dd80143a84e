package generate

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/certsync/certsync/inventory/shell"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/removals"
)

// Emergency shows shell commands, one on each line. The comments above them contain no quotes or other special characters,
// because an interactive shell may not support comments.
func Emergency(e removals.Emergency) []byte {
	var b bytes.Buffer
	for i, u := range e.Users {
		if i > 0 {
			b.WriteByte('\n')
		}
		comment := func(format string, args ...any) { fmt.Fprintf(&b, "# "+format+"\n", args...) }
		name := shell.Quote(u.Name)
		if len(u.Commands) == 0 {
			comment("At %s, no binding of certsync owner %s includes %s.", reconcile.TimeText(e.At), e.Owner, name)
		} else {
			comment("Remove %s from all bindings of certsync owner %s, in every epoch.", name, e.Owner)
			comment("The bindings were read at %s. Run this as a cluster administrator.", reconcile.TimeText(e.At))
		}
		comment("The certificate stays valid until it expires. Bindings of others for the name or the groups stay.")
		if u.InInventory {
			comment("The next apply gives the access back. To prevent that, remove the user from the inventory, or add this line there:")
			comment("  revokedBefore: %s", removals.RevokedBefore(e.At))
		}
		if strings.Contains(strings.Join(u.Commands, "\n"), "kubectl patch ") {
			comment("A patch fails if the subjects have changed since. Then find the index of the name with kubectl get and -o yaml.")
		}
		for _, command := range u.Commands {
			b.WriteString(command + "\n")
		}
	}
	return b.Bytes()
}
