package render

import (
	"fmt"
	"strings"
	"time"

	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/inventory/shell"
	"github.com/certsync/certsync/reconcile"
)

// MergeResult is the result of a merge into the user's kubeconfig.
type MergeResult struct {
	Context string   // its name
	Current bool     // it is the current context
	Changed bool     // false: the entries were there already
	Files   []string // the files of the user's kubeconfig that hold the entries
	Backups []string // the files that keep the old text of changed files
	// Kubeconfig is the file that the user named with --kubeconfig, or "".
	Kubeconfig string
	// Until is the end of the certificate in the entries. It is zero if the user need not know it.
	Until time.Time
}

// Merge names the files with the entries, and the command that uses them.
func Merge(m MergeResult) []byte {
	var b strings.Builder
	files := terminal.Clean(strings.Join(m.Files, " and "))
	if m.Changed {
		fmt.Fprintf(&b, "Merged context %s into %s.\n", terminal.QuoteName(m.Context), files)
	} else {
		fmt.Fprintf(&b, "Context %s in %s is up to date.\n", terminal.QuoteName(m.Context), files)
	}
	if len(m.Backups) > 0 {
		fmt.Fprintf(&b, "The old file is kept as %s.\n", terminal.Clean(strings.Join(m.Backups, " and ")))
	}
	if !m.Until.IsZero() {
		fmt.Fprintf(&b, "The certificate is valid until %s. Merge again after a renewal, or once with --exec.\n", reconcile.TimeText(m.Until))
	}
	kubectl := "kubectl"
	if m.Kubeconfig != "" {
		kubectl += " " + shell.Quote("--kubeconfig="+m.Kubeconfig)
	}
	if m.Current {
		fmt.Fprintf(&b, "It is the current context: %s auth whoami\n", kubectl)
	} else {
		fmt.Fprintf(&b, "To use it: %s config use-context %s\n", kubectl, shell.Quote(m.Context))
	}
	return []byte(b.String())
}
