package show

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/reconcile/preflight"
)

func TestPreflightText(t *testing.T) {
	report := preflight.Report{Owner: "prod-eu", Checks: []preflight.Check{
		{Name: "API server", Verdict: preflight.Passed, Detail: "Kubernetes v1\x1b[31m\nfailed: all"},
		{Name: "lock", Verdict: preflight.Warning, Detail: "held", Hint: "wait"},
		{Name: "rights", Verdict: preflight.Broken, Detail: strings.Repeat("may not ", 12), Hint: strings.Repeat("grant it ", 12)},
		{Name: "state", Verdict: preflight.NotChecked, Detail: "needs rights", Hint: "run again"},
		{Name: "signer", Verdict: preflight.NotChecked, Detail: "needs rights", Hint: "run again"},
	}}
	want := `Preflight for prod-eu: 1 of 5 checks failed, 1 warning, 2 not checked

  ok           API server  Kubernetes v1\u001b[31m failed: all
  warning      lock        held
      -> wait
  failed       rights
      may not may not may not may not may not may not may not may not may not
      may not may not may not
      -> grant it grant it grant it grant it grant it grant it grant it grant it
         grant it grant it grant it grant it
  not checked  state       needs rights
  not checked  signer      needs rights
      -> run again
`
	text := string(Preflight(report, false))
	if diff := cmp.Diff(want, text); diff != "" {
		t.Error(diff)
	}
	for line := range strings.Lines(text) {
		if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > terminal.LineWidth {
			t.Errorf("too wide: %s", line)
		}
	}
	coloured := string(Preflight(report, true))
	if !strings.Contains(coloured, "  \x1b[31mfailed     \x1b[0m  rights") || !strings.Contains(coloured, "\x1b[32mok ") {
		t.Errorf("%q", coloured)
	}
	all := report.Checks
	report.Checks = append(all[:1:1], all[4])
	if first, _, _ := strings.Cut(string(Preflight(report, false)), "\n"); first != "Preflight for prod-eu: no check failed, 1 not checked" {
		t.Error(first)
	}
	report.Checks = all[:1]
	if first, _, _ := strings.Cut(string(Preflight(report, false)), "\n"); first != "Preflight for prod-eu: all checks passed" {
		t.Error(first)
	}
}
