package fleet

import (
	"fmt"
	"strings"

	"github.com/certsync/certsync/reconcile/report"
)

// maxNamed is how many users a message names.
const maxNamed = 10

// OutstandingText says which removals a run that failed or was refused in one of several clusters has left, or "".
func OutstandingText(a report.Account) string {
	n := len(a.Outstanding)
	switch {
	case a.ExitCode == 0:
		return ""
	case a.Outstanding == nil:
		return "removals may be outstanding; without the state in Vault, certsync does not know whose"
	case n == 0:
		return ""
	case n > maxNamed:
		return fmt.Sprintf("removals are outstanding: %s and %d more", strings.Join(a.Outstanding[:maxNamed], ", "), n-maxNamed)
	}
	return "removals are outstanding: " + strings.Join(a.Outstanding, ", ")
}
