package variables

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/certsync/certsync/reconcile"
)

// CheckTilde refuses a flag whose value begins with ~/. Shells do not expand it in quotes, after a = or in a variable, and
// certsync would create a folder of that name.
func CheckTilde(command *kong.Context) error {
	for _, flag := range command.Flags() {
		if flag.Target.Kind() == reflect.String && strings.HasPrefix(flag.Target.String(), "~/") {
			return reconcile.WithHint(fmt.Errorf("--%s: %q begins with ~, which the shell did not expand", flag.Name, flag.Target),
				"write the full path, or $HOME instead of ~")
		}
	}
	return nil
}
