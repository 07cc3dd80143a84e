package reconcile

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestDenied: who was denied is not asked for again until somebody says so, and keeps what they have.
func TestDenied(t *testing.T) {
	w := newWorld(t)
	denial := Denial{Request: "certsync-x", Reason: "NotToday", Message: "ask Bob", At: w.now}
	w.fail = failing("issue bob", denial)
	if o, err := w.apply(parse(t, team)); err != nil || o.Failed() != 1 {
		t.Fatalf("%v, %q", err, results(o))
	}
	w.fail = nil
	rec := w.ledger["bob"].versions[1].record
	if want := `CertificateSigningRequest certsync-x was denied at 2026-03-01T12:00:00Z: "ask Bob" (reason "NotToday")`; rec.State != Denied || rec.Reason != want {
		t.Errorf("record: %s, %s", rec.State, rec.Reason)
	}
	p := w.plan(parse(t, team))
	if p.Changes() || !slices.Contains(kinds(p), "request-denied bob") {
		t.Errorf("plan: %q, %q", lines(p), kinds(p))
	}
	w.rules.Retry = []string{"bob", "alice"} // alice needs nothing: ignored
	if got := lines(w.plan(parse(t, team))); !slices.Contains(got, "reissue bob [retried]") {
		t.Errorf("retried: %q", got)
	}
	w.mustApply(parse(t, team))
	w.rules.Retry = nil
	if got := w.subjects(groupView); !slices.Contains(got, "bob") || w.users["bob"] == nil {
		t.Errorf("subjects %q", got)
	}

	// Denied at a renewal: the certificate from before serves them on, and is known.
	w.now = w.now.Add(150 * time.Hour)
	w.fail = failing("issue bob", denial)
	if o, err := w.apply(parse(t, team)); err != nil || o.Failed() != 1 {
		t.Fatalf("%v, %q", err, results(o))
	}
	w.fail = nil
	rec = w.ledger["bob"].versions[w.ledger["bob"].current].record
	if rec.State != Denied || rec.current() == nil || !slices.Contains(w.subjects(groupView), "bob") {
		t.Errorf("record: %s, %v", rec.State, rec.Certificates)
	}
	if p := w.plan(parse(t, team)); p.Changes() {
		t.Errorf("plan: %q", lines(p))
	}
	// And who leaves after that leaves like anybody else.
	without := parse(t, strings.Replace(team, "  - {name: bob, groups: [devs]}\n", "", 1))
	w.mustApply(without)
	if rec = w.ledger["bob"].versions[w.ledger["bob"].current].record; rec.State != Removed || w.users["bob"] != nil {
		t.Errorf("record: %s", rec.State)
	}
}
