package show

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/reconcile/preflight"
)

// Preflight shows a report with one line for each check. Below a failed check stands the repair. Consecutive checks with the
// same repair share it.
func Preflight(r preflight.Report, c terminal.Palette) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s\n\n", c.Bold("Preflight for "+r.Owner+":"), preflightSummary(r))
	writeChecks(&b, c, r.Checks)
	return b.Bytes()
}

// writeChecks writes one line for each check, and the repairs.
func writeChecks(b *bytes.Buffer, c terminal.Palette, checks []preflight.Check) {
	results, names := 0, 0
	for _, check := range checks {
		results, names = max(results, len(check.Verdict)), max(names, len(check.Name))
	}
	for i, check := range checks {
		result := fmt.Sprintf("%-*s", results, strings.ReplaceAll(string(check.Verdict), "-", " "))
		text := terminal.Wrap(fmt.Sprintf("  %s  %-*s  ", result, names, check.Name), terminal.Clean(check.Detail))
		if bad := check.Verdict == preflight.Broken || check.Verdict == preflight.Warning; bad && strings.Count(text, "\n") > 1 {
			// A long problem gets the whole width instead of a narrow column.
			text = fmt.Sprintf("  %s  %s\n", result, check.Name) + terminal.Wrap("      ", terminal.Clean(check.Detail))
		}
		if check.Hint != "" && (i+1 == len(checks) || checks[i+1].Hint != check.Hint) {
			text += terminal.Wrap("      -> ", terminal.Clean(check.Hint))
		}
		b.WriteString(strings.Replace(text, result, verdictColour(c, check.Verdict)(result), 1)) // a colour has no width
	}
}

// preflightSummary says that all checks passed only if none was skipped.
func preflightSummary(r preflight.Report) string {
	failed, warned := r.Count(preflight.Broken), r.Count(preflight.Warning)
	text := "all checks passed"
	switch {
	case failed > 0:
		text = fmt.Sprintf("%d of %d checks failed", failed, len(r.Checks))
	case !r.Complete():
		text = "no check failed"
	}
	if warned > 0 {
		text += ", " + terminal.Plural(warned, "warning")
	}
	if n := r.Count(preflight.NotChecked); n > 0 {
		text += fmt.Sprintf(", %d not checked", n)
	}
	return text
}

func verdictColour(c terminal.Palette, v preflight.Verdict) func(string) string {
	switch v {
	case preflight.Passed:
		return c.Green
	case preflight.Broken:
		return c.Red
	}
	return c.Yellow
}
