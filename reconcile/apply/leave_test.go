package apply_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestNameComesBack: a name that comes back while a certificate from before may live is in a later epoch, and nothing that it
// gets is the old certificate's.
func TestNameComesBack(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	without := reconciletest.Parse(t, strings.Replace(reconciletest.Team, "  - {name: bob, groups: [devs]}\n", "", 1))
	w.MustApply(without)
	rec := w.Ledger["bob"].Versions[w.Ledger["bob"].Current].Record
	if rec.State != reconcile.Removed || rec.Certificates[0].Status != reconcile.Revoked {
		t.Errorf("the record of a leaver says %s, %s", rec.State, rec.Certificates[0].Status)
	}
	if w.Users["bob"] != nil {
		t.Error("the credential of a leaver is still there")
	}
	want := []string{
		"update devs ClusterRoleBinding group:devs:view [members-changed] +bob#2", "update devs RoleBinding staging/group:devs:edit [members-changed] +bob#2",
	}
	if got := reconciletest.Lines(w.Plan(reconciletest.Parse(t, reconciletest.Team))); !slices.Equal(got[len(got)-2:], want) || got[0] != "issue bob [new-user]" {
		t.Errorf("while the certificate lives: %q", got)
	}
	w.Now = w.Now.Add((168 + 51) * time.Hour) // whatever the ledger says, the index knows how long one can live
	if got := reconciletest.Lines(w.Plan(reconciletest.Parse(t, reconciletest.Team))); !slices.Contains(got, "issue bob [new-user]") {
		t.Errorf("after it has expired: %q", got)
	}
	if got := reconciletest.Lines(w.Plan(without)); !slices.Contains(got, "purge bob [certificates-expired]") {
		t.Errorf("after it has expired, without the user: %q", got)
	}
	w.MustApply(without)
	if rec := w.Ledger["bob"].Versions[w.Ledger["bob"].Current].Record; rec.State != reconcile.Removed || len(rec.Certificates) > 0 || rec.Run != "run-1" {
		t.Errorf("the line of a leaver is %+v", rec)
	}
	if p := w.Plan(without); slices.Contains(reconciletest.Lines(p), "purge bob") {
		t.Errorf("left: %q", reconciletest.Lines(p))
	}
	w.Now = w.Now.Add(reconcile.LedgerRetention)
	if got := reconciletest.Lines(w.Plan(without)); !slices.Contains(got, "purge bob [retention-passed]") {
		t.Errorf("after %s: %q", reconcile.LedgerRetention, got)
	}
	if w.MustApply(without); w.Ledger["bob"] != nil {
		t.Error("the ledger forgets nobody")
	}
}

// TestNameComesBackLate: after all certificates of a user who left have expired, the name is the plain one again, or has the number
// that it had.
func TestNameComesBackLate(t *testing.T) {
	for want, revoked := range map[string][]string{"+bob": nil, "+bob#2": {"bob"}} {
		w := reconciletest.NewWorld(t)
		w.MustApply(reconciletest.Parse(t, reconciletest.Team))
		w.Rules.Revoke = revoked
		if len(revoked) > 0 {
			w.MustApply(reconciletest.Parse(t, reconciletest.Team))
		}
		w.Rules.Revoke = nil
		w.MustApply(reconciletest.Parse(t, reconciletest.WithoutBob))
		for range 2 { // also when the index has forgotten what it may
			w.Now = w.Now.Add((168 + 51) * time.Hour)
			got := reconciletest.Lines(w.Plan(reconciletest.Parse(t, reconciletest.Team)))
			if line := "update devs ClusterRoleBinding group:devs:view [members-changed] " + want; !slices.Contains(got, line) {
				t.Errorf("%q is not in: %q", line, got)
			}
			w.MustApply(reconciletest.Parse(t, reconciletest.WithoutBob))
		}
	}
}

// TestStoredAfterRemoval: what stands at a leaver's place when all of theirs is gone is somebody else's. In Vault, a secret that
// was deleted begins at version 1 again, so that its version tells nothing.
func TestStoredAfterRemoval(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	w.MustApply(reconciletest.Parse(t, reconciletest.WithoutBob))
	if _, err := w.Put(w.Users, "bob", reconciletest.KVVersion{Credential: &reconcile.Credential{}}, 0); err != nil {
		t.Fatal(err)
	}
	if held := w.Conflicts(reconciletest.WithoutBob); len(held) != 1 || w.Users["bob"] == nil {
		t.Errorf("held %q, users/bob is %v", held, w.Users["bob"])
	}
	w.Rules.Adopt = []string{"bob"}
	w.MustApply(reconciletest.Parse(t, reconciletest.WithoutBob))
	if p := w.Plan(reconciletest.Parse(t, reconciletest.WithoutBob)); p.Changes() || w.Users["bob"] != nil {
		t.Errorf("left: %q, users/bob is %v", reconciletest.Lines(p), w.Users["bob"])
	}
}

// TestLapsed: an end that was moved forward leaves a live certificate behind, which is accounted for.
func TestLapsed(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	ended := reconciletest.Parse(t, strings.Replace(reconciletest.Team, "name: bob,", "name: bob, until: 2026-02-01,", 1))
	w.MustApply(ended)
	rec := w.Ledger["bob"].Versions[w.Ledger["bob"].Current].Record
	if !rec.Ended() || rec.State != reconcile.Removed || rec.Certificates[0].Status != reconcile.Revoked || w.Users["bob"] != nil {
		t.Errorf("record %+v", rec)
	}
	p := w.Plan(ended)
	if got := reconciletest.Kinds(p); p.Changes() || !slices.Equal(got, []string{"live-certificate bob"}) {
		t.Errorf("plan %q, notes %q", reconciletest.Lines(p), got)
	}
	gone := reconciletest.Parse(t, strings.Replace(reconciletest.Team, "  - {name: bob, groups: [devs]}\n", "", 1))
	w.MustApply(gone)
	if got := reconciletest.Lines(w.Plan(reconciletest.Parse(t, reconciletest.Team))); !slices.Contains(got, "issue bob [new-user]") || !strings.HasSuffix(got[len(got)-1], "+bob#2") {
		t.Errorf("back in the file: %q", got)
	}
}

// TestLapseCutOff: a lapse that was cut off anywhere begins no epoch for a name that stays in the file.
func TestLapseCutOff(t *testing.T) {
	until := func(day string) string {
		return strings.Replace(reconciletest.Team, "name: bob,", "name: bob, until: "+day+",", 1)
	}
	for _, fault := range []string{"record bob removing", "update ClusterRoleBinding", "erase bob", "record bob removed"} {
		t.Run(fault, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			w.MustApply(reconciletest.Parse(t, reconciletest.Team))
			w.Now = time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
			w.Fail = reconciletest.Failing(fault, reconciletest.ErrBoom)
			if o, err := w.Apply(reconciletest.Parse(t, until("2026-03-03"))); err != nil || o.Failed() == 0 {
				t.Fatal(err, reconciletest.Results(o))
			}
			w.Fail = nil
			w.MustApply(reconciletest.Parse(t, until("2026-12-31")))
			if p := w.Plan(reconciletest.Parse(t, until("2026-12-31"))); p.Changes() || w.Users["bob"] == nil {
				t.Errorf("extended: %q", reconciletest.Lines(p))
			}
		})
	}
}

// TestRemovalTakenBack: a user returns, also after a removal that was cut off anywhere. The ledger keeps the old certificate,
// which gets nothing.
func TestRemovalTakenBack(t *testing.T) {
	for _, fault := range []string{"nothing", "erase bob", "record bob removed", "update ClusterRoleBinding"} {
		t.Run(fault, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			w.MustApply(reconciletest.Parse(t, reconciletest.Team))
			w.Fail = reconciletest.Failing(fault, reconciletest.ErrBoom)
			if _, err := w.Apply(reconciletest.Parse(t, reconciletest.WithoutBob)); err != nil {
				t.Fatal(err)
			}
			w.Fail = nil
			w.MustApply(reconciletest.Parse(t, reconciletest.Team))
			if p := w.Plan(reconciletest.Parse(t, reconciletest.Team)); p.Changes() {
				t.Errorf("left: %q", reconciletest.Lines(p))
			}
			rec := w.Ledger["bob"].Versions[w.Ledger["bob"].Current].Record
			if rec.State != reconcile.Active || rec.Epoch != 2 || rec.Certificates[0].Status != reconcile.Revoked || rec.Certificates[1].Status != reconcile.Current || rec.Certificates[1].Epoch != 2 {
				t.Errorf("record: %+v", rec)
			}
			if w.Served("bob") != nil || len(w.Served("bob#2")) != 2 {
				t.Errorf("bob has %q, bob#2 %q", w.Served("bob"), w.Served("bob#2"))
			}
		})
	}
}

// TestUntil: access ends with its day, and a name that stays in the file begins no epoch.
func TestUntil(t *testing.T) {
	w := reconciletest.NewWorld(t)
	until := func(day string) string {
		return strings.Replace(reconciletest.Team, "name: bob,", "name: bob, until: "+day+",", 1)
	}
	w.MustApply(reconciletest.Parse(t, until("2026-03-03")))
	cur := w.Ledger["bob"].Versions[1].Record.Certificates[0]
	if want := time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC); !cur.NotAfter.Equal(want) {
		t.Errorf("the certificate ends %s, not with the access", cur.NotAfter)
	}
	if got := reconciletest.Kinds(w.Plan(reconciletest.Parse(t, until("2026-03-03")))); !slices.Contains(got, "until-soon bob") {
		t.Errorf("notes: %q", got)
	}
	w.Now = time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
	ended := reconciletest.Parse(t, until("2026-03-03"))
	if got := reconciletest.Lines(w.Plan(ended)); !slices.Contains(got, "remove bob [until-passed]") {
		t.Errorf("at the end: %q", got)
	}
	w.MustApply(ended)
	if got := reconciletest.Lines(w.Plan(ended)); len(got) > 0 {
		t.Errorf("after the end: %q", got)
	}
	if got := reconciletest.Lines(w.Plan(reconciletest.Parse(t, until("2026-04-03")))); !slices.Contains(got, "issue bob [new-user]") {
		t.Errorf("extended: %q", got)
	}
	w.Now = time.Date(2026, 4, 3, 23, 55, 0, 0, time.UTC)
	late := w.Plan(reconciletest.Parse(t, until("2026-04-03")))
	if got := reconciletest.Kinds(late); !slices.Contains(got, "too-short bob") {
		t.Errorf("notes 5 minutes before the end: %q", got)
	}
	for _, l := range reconciletest.Lines(late) {
		if strings.Contains(l, "+bob") || strings.Contains(l, "issue bob") {
			t.Errorf("5 minutes before the end: %q", l)
		}
	}
}

// TestCredentialThatComesLate: a run that lost its lock stores the credential of a user whom another run has removed meanwhile. The
// ledger announced that version, so the next run deletes it. What somebody else writes there stays a conflict.
func TestCredentialThatComesLate(t *testing.T) {
	for _, stored := range []bool{false, true} {
		w := reconciletest.NewWorld(t)
		team := reconciletest.Parse(t, reconciletest.Team)
		var late *reconciletest.Secret
		if stored {
			w.MustApply(team)
		} else {
			w.Fail = func(call string) error {
				if call == "store bob" {
					return errors.New("the connection is cut")
				}
				return nil
			}
			if o, err := w.Apply(team); err != nil || o.Failed() == 0 {
				t.Fatal("the run did not fail")
			}
			w.Fail = nil
		}
		late = &reconciletest.Secret{Current: 1, Versions: map[int]*reconciletest.KVVersion{1: {Credential: &reconcile.Credential{}}}}
		without := reconciletest.Parse(t, strings.Replace(reconciletest.Team, "  - {name: bob, groups: [devs]}\n", "", 1))
		w.MustApply(without)
		if w.Users["bob"] != nil {
			t.Fatal("the credential of a leaver is still there")
		}
		w.Users["bob"] = late
		if stored {
			if got := reconciletest.Lines(w.Plan(without)); !slices.Contains(got, "remove bob [foreign-credential not-in-inventory] held") {
				t.Errorf("written by somebody else: %q", got)
			}
			continue
		}
		if got := reconciletest.Lines(w.Plan(team)); !slices.Contains(got, "issue bob [new-user]") {
			t.Errorf("the user who left comes back: %q", got)
		}
		if w.MustApply(without); w.Users["bob"] != nil {
			t.Error("the credential that came late is left")
		}
		if got := reconciletest.Lines(w.Plan(without)); len(got) > 0 {
			t.Errorf("left: %q", got)
		}
	}
}
