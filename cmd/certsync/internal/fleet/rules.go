package fleet

import (
	"errors"
	"slices"

	"github.com/certsync/certsync/reconcile"
)

// Known calls plan until it returns no UnknownName. Each such name goes out of the rules and into unknown: somebody may be in one of
// several clusters alone.
func Known(r *reconcile.Rules, unknown *[]reconcile.UnknownName, plan func() error) error {
	for {
		err := plan()
		var name reconcile.UnknownName
		if !errors.As(err, &name) {
			return err
		}
		*unknown = append(*unknown, name)
		*r = without(*r, name)
	}
}

// without returns rules that do not ask for a name.
func without(r reconcile.Rules, unknown reconcile.UnknownName) reconcile.Rules {
	for _, names := range []*[]string{&r.Revoke, &r.Retry, &r.Protect, &r.Adopt} {
		*names = slices.DeleteFunc(slices.Clone(*names), func(name string) bool { return name == unknown.Name })
	}
	return r
}
