package render

import (
	"fmt"
	"slices"
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

// Merge names the files with the entries, and the command that uses them. It returns nothing for no results.
func Merge(all ...MergeResult) []byte {
	if len(all) == 0 {
		return nil
	}
	var b strings.Builder
	var backups []string
	var until time.Time
	use := all[0] // the current context, or else the first
	for _, m := range all {
		files := terminal.Clean(strings.Join(m.Files, " and "))
		if m.Changed {
			fmt.Fprintf(&b, "Merged context %s into %s.\n", terminal.QuoteName(m.Context), files)
		} else {
			fmt.Fprintf(&b, "Context %s in %s is up to date.\n", terminal.QuoteName(m.Context), files)
		}
		backups = append(backups, m.Backups...)
		if until.IsZero() || !m.Until.IsZero() && m.Until.Before(until) {
			until = m.Until
		}
		if m.Current {
			use = m
		}
	}
	slices.Sort(backups)
	if backups = slices.Compact(backups); len(backups) > 0 {
		fmt.Fprintf(&b, "The old file is kept as %s.\n", terminal.Clean(strings.Join(backups, " and ")))
	}
	valid, it, one := "The certificate is valid until", "It is the current context:", "To use it:"
	if len(all) > 1 {
		valid, it, one = "The certificates are valid at least until", "The current context is "+terminal.QuoteName(use.Context)+":", "To use one:"
	}
	if !until.IsZero() {
		fmt.Fprintf(&b, "%s %s. After a renewal, merge again. With --exec, kubectl fetches the new one by itself.\n", valid, reconcile.TimeText(until))
	}
	kubectl := "kubectl"
	if use.Kubeconfig != "" {
		kubectl += " " + shell.Quote("--kubeconfig="+use.Kubeconfig)
	}
	if use.Current {
		fmt.Fprintf(&b, "%s %s auth whoami\n", it, kubectl)
	} else {
		fmt.Fprintf(&b, "%s %s config use-context %s\n", one, kubectl, shell.Quote(use.Context))
	}
	return []byte(b.String())
}
