package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/csr"
)

// outcomes has what golden files in testdata/text show.
func outcomes(t *testing.T) map[string]reconcile.Outcome {
	first := plans(t)["first"]
	ended := func(how func(i int, e *reconcile.Event)) (events []reconcile.Event) {
		for i, s := range first.Steps {
			e := reconcile.Event{Time: noon, Run: "0123456789abcdef", User: s.User, Group: s.Group, Action: s.Action, Object: s.Object, Result: reconcile.Done}
			if how != nil {
				how(i, &e)
			}
			events = append(events, e)
		}
		return events
	}
	const silent = "issuing a certificate: the signer did not issue the certificate in time"
	return map[string]reconcile.Outcome{
		"result-nothing":     {Plan: plans(t)["settled"]},
		"result-record-only": {Plan: plans(t)["record-only"]},
		"result-done":        {Plan: first, Events: ended(nil)},
		"result-noted": {Plan: first, Events: ended(func(_ int, e *reconcile.Event) {
			if e.Action == reconcile.Issue {
				e.Note = "the signer shortened the certificate: it lives 1h0m0s of the 168h0m0s asked for"
			}
		})},
		"result-one-failed": {Plan: first, Events: ended(func(i int, e *reconcile.Event) {
			if e.User == "carol@example.com" {
				e.Result, e.Error, e.Hint = reconcile.Held, "no binding without a credential: it failed before", ""
			}
			if e.User == "carol@example.com" && e.Action == reconcile.Issue {
				e.Result, e.Error, e.Hint = reconcile.Failed, "issuing a certificate: the CertificateSigningRequest was denied: "+hostile, "ask who denied it: "+hostile
			}
		})},
		"result-silent-signer": {Plan: first, Events: ended(func(i int, e *reconcile.Event) {
			e.Result, e.Error, e.Hint = reconcile.Held, "the first certificate, for alice@example.com, failed: "+silent, "does this cluster issue client certificates? EKS does not"
			if i == 0 {
				e.Result, e.Error = reconcile.Failed, silent
			}
		})},
	}
}

// TestResultText compares how runs end.
func TestResultText(t *testing.T) {
	for name, o := range outcomes(t) {
		t.Run(name, func(t *testing.T) {
			text := string(resultText(o, false))
			harmless(t, text)
			golden(t, filepath.Join("testdata/text", name+".txt"), text)
			if plain := colours.ReplaceAllString(string(resultText(o, true)), ""); plain != text {
				t.Errorf("colour changes more than the colour:\n%s", plain)
			}
		})
	}
}

// TestProgress compares what a run says while it lasts: a line a step, and on a terminal a bar that is drawn anew.
func TestProgress(t *testing.T) {
	events := outcomes(t)["result-one-failed"].Events
	for name, terminal := range map[string]bool{"progress-lines": false, "progress-bar": true} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			now := noon
			g := &progress{out: &b, terminal: terminal, now: func() time.Time { return now }}
			g.begin(len(events))
			for i, e := range events {
				now = now.Add(2 * time.Second)
				if i == 1 {
					now = now.Add(redraw/2 - 2*time.Second) // too soon to be drawn
				}
				g.step(e)
			}
			g.end()
			drawn := strings.NewReplacer("\r", "<home>", "\x1b[K", "<clear>").Replace(b.String())
			harmless(t, drawn)
			golden(t, filepath.Join("testdata/text", name+".txt"), drawn+"\n")
		})
	}
}

// TestAskFor: each command that approves stands on a line that can be pasted, below what is said once.
func TestAskFor(t *testing.T) {
	const first = "Waiting for somebody to approve (to deny one: kubectl certificate deny NAME):\n"
	csrs := []reconcile.CSRRef{{Name: "certsync-abcde", UID: "1"}, {Name: "certsync-fghij", UID: "2"}}
	alice := csr.ApproveCommand(csrs[0]) + "   # alice@example.com\n"
	bob := csr.ApproveCommand(csrs[1]) + "   # bob\n"
	bar := "[" + strings.Repeat(".", barWidth) + "] 0/2, 0s left"
	for terminal, want := range map[bool]string{
		false: first + alice + bob,
		true:  "\r\x1b[K" + first + alice + bar + "\r\x1b[K" + bob + bar,
	} {
		var b strings.Builder
		g := &progress{out: &b, terminal: terminal, now: time.Now}
		g.begin(2)
		g.askFor("alice@example.com", csrs[0])
		g.askFor("bob", csrs[1])
		if diff := cmp.Diff(want, b.String()); diff != "" {
			t.Errorf("terminal %t: %s", terminal, diff)
		}
	}
}

// TestNoProgress: a run that had nothing to carry out draws nothing.
func TestNoProgress(t *testing.T) {
	var b strings.Builder
	(&progress{out: &b, terminal: true, now: time.Now}).end()
	if b.Len() > 0 {
		t.Errorf("%q", b.String())
	}
}

// TestEventStream: after a write that failed the others are tried all the same, and the first error is kept.
func TestEventStream(t *testing.T) {
	w := &failing{fail: 1}
	s := &eventStream{out: w}
	for n := range 3 {
		s.send(n)
	}
	if w.calls != 3 || fmt.Sprint(s.err) != "writing the output: full 1" {
		t.Errorf("%d writes, error %v", w.calls, s.err)
	}
}

// failing is a writer whose first writes fail.
type failing struct{ calls, fail int }

func (w *failing) Write(p []byte) (int, error) {
	w.calls++
	if w.calls <= w.fail {
		return 0, errors.New(fmt.Sprint("full ", w.calls))
	}
	return len(p), nil
}
