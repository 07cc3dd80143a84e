package apply_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestDenied: who was denied is not asked for again until somebody says so, and keeps what they have.
func TestDenied(t *testing.T) {
	w := reconciletest.NewWorld(t)
	denial := reconcile.Denial{Request: "certsync-x", Reason: "NotToday", Message: "ask Bob", At: w.Now}
	w.Fail = reconciletest.Failing("issue bob", denial)
	if o, err := w.Apply(reconciletest.Parse(t, reconciletest.Team)); err != nil || o.Failed() != 1 {
		t.Fatalf("%v, %q", err, reconciletest.Results(o))
	}
	w.Fail = nil
	rec := w.Ledger["bob"].Versions[1].Record
	if want := `CertificateSigningRequest certsync-x was denied at 2026-03-01T12:00:00Z: "ask Bob" (reason "NotToday")`; rec.State != reconcile.Denied || rec.Reason != want {
		t.Errorf("record: %s, %s", rec.State, rec.Reason)
	}
	p := w.Plan(reconciletest.Parse(t, reconciletest.Team))
	if p.Changes() || !slices.Contains(reconciletest.Kinds(p), "request-denied bob") {
		t.Errorf("plan: %q, %q", reconciletest.Lines(p), reconciletest.Kinds(p))
	}
	w.Rules.Retry = []string{"bob", "alice"} // alice needs nothing: ignored
	if got := reconciletest.Lines(w.Plan(reconciletest.Parse(t, reconciletest.Team))); !slices.Contains(got, "reissue bob [retried]") {
		t.Errorf("retried: %q", got)
	}
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	w.Rules.Retry = nil
	if got := w.Subjects(reconciletest.GroupView); !slices.Contains(got, "bob") || w.Users["bob"] == nil {
		t.Errorf("subjects %q", got)
	}

	// Denied at a renewal: the certificate from before serves them on, and is known.
	w.Now = w.Now.Add(150 * time.Hour)
	w.Fail = reconciletest.Failing("issue bob", denial)
	if o, err := w.Apply(reconciletest.Parse(t, reconciletest.Team)); err != nil || o.Failed() != 1 {
		t.Fatalf("%v, %q", err, reconciletest.Results(o))
	}
	w.Fail = nil
	rec = w.Ledger["bob"].Versions[w.Ledger["bob"].Current].Record
	if rec.State != reconcile.Denied || rec.Current() == nil || !slices.Contains(w.Subjects(reconciletest.GroupView), "bob") {
		t.Errorf("record: %s, %v", rec.State, rec.Certificates)
	}
	if p := w.Plan(reconciletest.Parse(t, reconciletest.Team)); p.Changes() {
		t.Errorf("plan: %q", reconciletest.Lines(p))
	}
	// And who leaves after that leaves like anybody else.
	without := reconciletest.Parse(t, strings.Replace(reconciletest.Team, "  - {name: bob, groups: [devs]}\n", "", 1))
	w.MustApply(without)
	if rec = w.Ledger["bob"].Versions[w.Ledger["bob"].Current].Record; rec.State != reconcile.Removed || w.Users["bob"] != nil {
		t.Errorf("record: %s", rec.State)
	}
}
