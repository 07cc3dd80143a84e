package fleet

import "slices"

// The exit codes of apply that count for those of several clusters.
const (
	codeError       = 1
	codeRefused     = 3
	codeLocked      = 4
	codeInterrupted = 130
)

// Ending is how apply ended in one cluster.
type Ending struct {
	Code  int  // its exit code, as that of a run for this cluster alone
	Wrote bool // something was written there
}

// ExitCode is the exit code of apply for several clusters. It is 3 or 4 only if nothing was written in any of them.
func ExitCode(all []Ending) int {
	has := func(code int) bool { return slices.ContainsFunc(all, func(e Ending) bool { return e.Code == code }) }
	wrote := slices.ContainsFunc(all, func(e Ending) bool { return e.Wrote })
	other := slices.ContainsFunc(all, func(e Ending) bool {
		return !slices.Contains([]int{0, codeRefused, codeLocked, codeInterrupted}, e.Code)
	})
	switch {
	case has(codeInterrupted):
		return codeInterrupted
	case other, wrote && (has(codeRefused) || has(codeLocked)):
		return codeError
	case has(codeRefused):
		return codeRefused
	case has(codeLocked):
		return codeLocked
	}
	return 0
}
