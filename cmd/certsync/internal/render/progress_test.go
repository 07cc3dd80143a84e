package render

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
	"github.com/certsync/certsync/reconcile"
)

// TestProgress compares what a run prints while it lasts: one line for each step, and on a terminal a bar that is redrawn.
func TestProgress(t *testing.T) {
	events := fixture.Outcomes(t)["result-one-failed"].Events
	for name, terminal := range map[string]bool{"progress-lines": false, "progress-bar": true} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			now := fixture.Noon
			p := &Progress{Out: &b, Terminal: terminal, Now: func() time.Time { return now }}
			p.Begin(len(events))
			for i, e := range events {
				now = now.Add(2 * time.Second)
				if i == 1 {
					now = now.Add(redrawInterval/2 - 2*time.Second) // too early to redraw the bar
				}
				p.Step(e)
			}
			p.End()
			drawn := strings.NewReplacer("\r", "<home>", "\x1b[K", "<clear>").Replace(b.String())
			fixture.Harmless(t, drawn)
			fixture.Golden(t, filepath.Join("testdata/text", name+".txt"), drawn+"\n")
		})
	}
}

// TestAskForApproval: each command stands on a line of its own, below a sentence that is printed once.
func TestAskForApproval(t *testing.T) {
	const first = "Waiting for approval. Run these commands to approve (or kubectl certificate deny NAME to deny one):\n"
	const alice, bob = "kubectl approve a   # alice@example.com\n", "kubectl approve b   # bob\n"
	bar := "[" + strings.Repeat(".", barWidth) + "] 0/2, 0s left"
	for terminal, want := range map[bool]string{
		false: first + alice + bob,
		true:  clearLine + first + alice + bar + clearLine + bob + bar,
	} {
		var b strings.Builder
		p := &Progress{Out: &b, Terminal: terminal, Now: time.Now}
		p.Begin(2)
		p.AskForApproval("alice@example.com", "kubectl approve a")
		p.AskForApproval("bob", "kubectl approve b")
		if diff := cmp.Diff(want, b.String()); diff != "" {
			t.Errorf("terminal %t: %s", terminal, diff)
		}
	}
}

// TestMoreProgress: steps that nobody announced do not break the bar.
func TestMoreProgress(t *testing.T) {
	var b strings.Builder
	now := fixture.Noon
	p := &Progress{Out: &b, Terminal: true, Now: func() time.Time { now = now.Add(time.Second); return now }}
	for range 2 {
		p.Step(reconcile.Event{Result: reconcile.Done})
	}
	if !strings.HasPrefix(b.String(), clearLine+"["+strings.Repeat("#", barWidth)+"] 1/0") {
		t.Errorf("%q", b.String())
	}
}

// TestNoProgress: a run without steps draws nothing.
func TestNoProgress(t *testing.T) {
	var b strings.Builder
	(&Progress{Out: &b, Terminal: true, Now: time.Now}).End()
	if b.Len() > 0 {
		t.Errorf("%q", b.String())
	}
}

// TestWarning: a warning takes the place of a terminal's bar, and others' text stays on its line.
func TestWarning(t *testing.T) {
	const line = `certsync: the API server warns: a b\u001b[2J` + "\n"
	for terminal, want := range map[bool]string{false: line, true: clearLine + line} {
		if got := Warning("a\nb\x1b[2J", terminal); got != want {
			t.Errorf("got %q", got)
		}
	}
}

// TestProgressOfClusters: the runs in several clusters count together, and each line has the cluster's name.
func TestProgressOfClusters(t *testing.T) {
	var b strings.Builder
	p := &Progress{Out: &b, Now: func() time.Time { return fixture.Noon }}
	p.Begin(1)
	p.Begin(1)
	p.StepIn("dev", reconcile.Event{User: "alice", Action: reconcile.Issue, Result: reconcile.Done})
	p.StepIn("prod\x1b[K", reconcile.Event{User: "bob", Action: reconcile.Remove, Result: reconcile.Held, Error: "no"})
	fixture.Harmless(t, b.String())
	if want := "[1/2] dev: issue alice: done\n[2/2] prod\\u001b[K: remove bob: held: no\n"; b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
}
