package main

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
	"github.com/certsync/certsync/cmd/certsync/internal/pushgateway"
	"github.com/certsync/certsync/cmd/certsync/internal/reporting"
	"github.com/certsync/certsync/e2e/fake"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/report"
)

const group = "certsync/owner/prod-eu"

// accounts has what golden files in testdata/metrics show, in the order in which the runs follow each other.
func accounts(t *testing.T) []struct {
	name string
	report.Account
} {
	ended := fixture.Outcomes(t)
	at := func(hours int, code int, err error, o reconcile.Outcome) report.Account {
		end := fixture.Noon.Add(time.Duration(hours) * time.Hour)
		a := report.Account{
			Owner: "prod-eu", RunID: "0123456789abcdef", StartedAt: end.Add(-90 * time.Second), EndedAt: end,
			ExitCode: code, Err: err, Outcome: o,
		}
		a.Outstanding = a.Removals()
		return a
	}
	return []struct {
		name string
		report.Account
	}{
		{"done", at(0, exitOK, nil, ended["result-done"])},
		{"in-part", at(1, exitError, nil, ended["result-one-failed"])},
		{"refused", at(2, exitRefused, reconcile.Refused{Violations: []string{"one", "two"}}, reconcile.Outcome{Plan: ended["result-done"].Plan})},
		{"failed", at(3, exitError, errors.New("vault is sealed"), reconcile.Outcome{})},
		{"locked-out", at(4, exitLocked, reconcile.Locked{}, reconcile.Outcome{})},
		{"interrupted", at(5, exitInterrupted, report.ErrInterrupted, reconcile.Outcome{})},
		{"nothing-to-do", at(6, exitOK, nil, ended["result-nothing"])},
		{"without-vault", at(7, exitOK, nil, ended["result-removals"])},
	}
}

// TestMetrics: what the Pushgateway shows after each of several runs. A run that fails leaves the last success as it was,
// and takes back what the one before has counted. The rules in examples are checked against the first of the files.
func TestMetrics(t *testing.T) {
	g := fake.NewGateway("", "")
	defer g.Close()
	for _, a := range accounts(t) {
		before := g.Pushes()
		if err := (reporting.Options{Pushgateway: pushgateway.URL(g.URL)}).Push(t.Context(), a.Account); err != nil {
			t.Fatal(err)
		}
		if pushed := g.Pushes() > before; pushed == (a.ExitCode == exitLocked) {
			t.Errorf("%s: pushed is %v", a.name, pushed)
		}
		fixture.Golden(t, "testdata/metrics/"+a.name, g.Text(group))
	}
}

// TestMetricsInExamples: the table in examples/monitoring has every metric, and no other.
func TestMetricsInExamples(t *testing.T) {
	pushed, err := os.ReadFile("testdata/metrics/done")
	if err != nil {
		t.Fatal(err)
	}
	document, err := os.ReadFile("../../examples/monitoring/README.md")
	if err != nil {
		t.Fatal(err)
	}
	names := func(text string) map[string]bool {
		found := map[string]bool{}
		for _, name := range regexp.MustCompile(`\bcertsync_[a-z_]+\b`).FindAllString(text, -1) {
			found[name] = true
		}
		return found
	}
	if diff := cmp.Diff(names(string(pushed)), names(string(document))); diff != "" {
		t.Errorf("pushed (-) and in the table (+): %s", diff)
	}
}

// TestGatewayURL: what is no address of a Pushgateway is refused, and a password in it is not repeated.
func TestGatewayURL(t *testing.T) {
	tests := map[string]string{ // the complaint, or ""
		"http://pushgateway.monitoring:9091":           "",
		"https://gateway.example.com/push":             "",
		"":                                             "expected an http or https URL",
		"pushgateway:9091":                             "expected an http or https URL",
		"ftp://gateway.example.com":                    "expected an http or https URL",
		"http://gateway.example.com?a=hunter2":         "expected an http or https URL",
		"http://certsync:hunter2@gateway.example.com":  "set CERTSYNC_PUSHGATEWAY_USERNAME and CERTSYNC_PUSHGATEWAY_PASSWORD",
		"http://certsync:hunter2@gateway example.com":  "expected an http or https URL",
		"http://certsync:hunter2@gateway.example:port": "expected an http or https URL",
	}
	for text, want := range tests {
		r := within(t, t.Context(), "apply", "--pushgateway="+text, "-f", "does-not-exist.yaml")
		code := exitUsage
		if want == "" {
			code = exitError // there is no inventory
		}
		if r.code != code || !strings.Contains(r.stderr, want) || strings.Contains(r.stderr, "hunter2") {
			t.Errorf("%s: exit %d: %s", text, r.code, r.stderr)
		}
	}
}
