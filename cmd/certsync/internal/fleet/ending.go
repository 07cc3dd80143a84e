package fleet

import (
	"slices"

	"github.com/certsync/certsync/cmd/certsync/internal/exit"
)

// Ending is how apply ended in one cluster.
type Ending struct {
	Code  int  // its exit code, as that of a run for this cluster alone
	Wrote bool // something was written there
}

// exitCode is the exit code of apply for several clusters. It is 3 or 4 only if nothing was written in any of them.
func exitCode(all []Ending) int {
	has := func(code int) bool { return slices.ContainsFunc(all, func(e Ending) bool { return e.Code == code }) }
	wrote := slices.ContainsFunc(all, func(e Ending) bool { return e.Wrote })
	other := slices.ContainsFunc(all, func(e Ending) bool {
		return !slices.Contains([]int{0, exit.Refused, exit.Locked, exit.Interrupted}, e.Code)
	})
	switch {
	case has(exit.Interrupted):
		return exit.Interrupted
	case other, wrote && (has(exit.Refused) || has(exit.Locked)):
		return exit.Error
	case has(exit.Refused):
		return exit.Refused
	case has(exit.Locked):
		return exit.Locked
	}
	return 0
}
