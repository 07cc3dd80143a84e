package fleet

import (
	"slices"

	"github.com/certsync/certsync/reconcile"
)

// Without returns rules that do not ask for a name that one of several clusters does not know. Somebody may be in one cluster alone.
func Without(r reconcile.Rules, unknown reconcile.UnknownName) reconcile.Rules {
	for _, names := range []*[]string{&r.Revoke, &r.Retry, &r.Protect, &r.Adopt} {
		*names = slices.DeleteFunc(slices.Clone(*names), func(name string) bool { return name == unknown.Name })
	}
	return r
}
