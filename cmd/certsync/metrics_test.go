package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
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
		return report.Account{
			Owner: "prod-eu", RunID: "0123456789abcdef", StartedAt: end.Add(-90 * time.Second), EndedAt: end,
			ExitCode: code, Err: err, Outcome: o,
		}
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
		if err := gatewayURL(g.URL).push(t.Context(), a.Account); err != nil {
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

// TestPushFails: what is wrong with a push is said, in time, without the credentials.
func TestPushFails(t *testing.T) {
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then does the server see the client go
		<-r.Context().Done()
	}))
	defer silent.Close()
	away := httptest.NewServer(http.RedirectHandler("/elsewhere", http.StatusMovedPermanently))
	defer away.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	guarded := fake.NewGateway("certsync", "correct horse")
	defer guarded.Close()
	tests := map[string]struct {
		url, password string
		want          string // "": it succeeds
	}{
		"nobody listens":     {url: "http://" + closed.Addr().String(), want: "connection refused"},
		"nobody answers":     {url: silent.URL, want: "no answer from " + silent.URL + ": the time is up"},
		"it is elsewhere":    {url: away.URL, want: "unexpected status code 301"},
		"a wrong password":   {url: guarded.URL, password: "battery staple", want: "unexpected status code 401"},
		"the right password": {url: guarded.URL, password: "correct horse"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv(gatewayUsername, "certsync")
			t.Setenv(gatewayPassword, tt.password)
			wait := 10 * time.Second
			if tt.url == silent.URL {
				wait = 50 * time.Millisecond
			}
			ctx, cancel := context.WithTimeoutCause(t.Context(), wait, errors.New("the time is up"))
			defer cancel()
			err := gatewayURL(tt.url).push(ctx, accounts(t)[0].Account)
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || reconcile.Hint(err) == "" {
				t.Errorf("%v", err)
			}
			if text := fmt.Sprint(err); tt.password != "" && strings.Contains(text, tt.password) {
				t.Errorf("it shows the password: %s", text)
			}
		})
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

// TestPushToWhoTalks: of an answer without end only the beginning is read, and said.
func TestPushToWhoTalks(t *testing.T) {
	var sent atomic.Int64
	talks := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		for line := []byte(strings.Repeat("x", 1<<16)); ; {
			n, err := w.Write(line)
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	}))
	defer talks.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	err := gatewayURL(talks.URL).push(ctx, report.Account{Owner: "prod-eu"})
	if err == nil || !strings.Contains(err.Error(), "unexpected status code 400") || len(err.Error()) > 2*maxAnswer {
		t.Errorf("%.300s", fmt.Sprint(err))
	}
	if want := "… (the answer of " + talks.URL + ` to POST "/metrics/job/certsync/owner/prod-eu" is larger than 1024 bytes`; !strings.Contains(fmt.Sprint(err), want) {
		t.Errorf("%q is not in: %v", want, err)
	}
	// Beside what is read, a connection has room for what the kernel buffers on both sides: some 10 MiB with the usual limits.
	if sent.Load() > 32<<20 {
		t.Errorf("%d bytes were sent", sent.Load())
	}
}
