package main

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/certsync/certsync/reconcile"
)

// checkTilde refuses a flag whose value begins with ~/. Shells leave it so in quotes and behind a =, nothing else replaces it in
// a variable, and certsync would make a folder of that name.
func checkTilde(command *kong.Context) error {
	for _, flag := range command.Flags() {
		if flag.Target.Kind() == reflect.String && strings.HasPrefix(flag.Target.String(), "~/") {
			return reconcile.WithHint(fmt.Errorf("--%s: %q begins with ~, which the shell has not replaced", flag.Name, flag.Target),
				"write the whole path, or $HOME in place of the ~")
		}
	}
	return nil
}
