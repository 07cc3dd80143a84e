package fleet

import (
	"fmt"
	"strings"
	"testing"

	"github.com/certsync/certsync/reconcile/report"
)

// TestOutstandingText: ten users are named, and the others counted. Without Vault nobody is named, but the danger is.
func TestOutstandingText(t *testing.T) {
	users := func(n int) (all []string) {
		for i := range n {
			all = append(all, fmt.Sprintf("u%d", i))
		}
		return append([]string{}, all...)
	}
	named := "removals are outstanding: " + strings.Join(users(10), ", ")
	for want, a := range map[string]report.Account{
		"":                    {ExitCode: 0, Outstanding: users(2)},
		named:                 {ExitCode: 1, Outstanding: users(10)},
		named + " and 2 more": {ExitCode: 1, Outstanding: users(12)},
		"removals may be outstanding; without the state in Vault, certsync does not know whose": {ExitCode: 1},
	} {
		if got := OutstandingText(a); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
	if got := OutstandingText(report.Account{ExitCode: 3, Outstanding: users(0)}); got != "" {
		t.Errorf("of nobody: %q", got)
	}
}
