package reconcile

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestQuarantine: a removed name must not hand its access to the old certificate.
func TestQuarantine(t *testing.T) {
	w := newWorld(t)
	w.mustApply(parse(t, team))
	without := parse(t, strings.Replace(team, "  - {name: bob, groups: [devs]}\n", "", 1))
	w.mustApply(without)
	rec := w.ledger["bob"].versions[w.ledger["bob"].current].record
	if rec.State != Removed || rec.Certificates[0].Status != Revoked {
		t.Errorf("the record of a leaver says %s, %s", rec.State, rec.Certificates[0].Status)
	}
	if w.users["bob"] != nil {
		t.Error("the credential of a leaver is still there")
	}
	if diff := cmp.Diff([]string{"issue bob [new-user] held"}, lines(w.plan(parse(t, team)))); diff != "" {
		t.Errorf("while the certificate lives: %s", diff)
	}
	w.rules.Reinstate = []string{"bob"}
	if got := lines(w.plan(parse(t, team))); !slices.Contains(got, "reissue bob [reinstated]") {
		t.Errorf("reinstated: %q", got)
	}
	w.rules.Reinstate = []string{"bobby"}
	if _, err := w.apply(parse(t, team)); !errors.As(err, new(UnknownName)) {
		t.Errorf("a name that stands nowhere: %v", err)
	}
	w.rules = Rules{}
	w.now = w.now.Add(169 * time.Hour)
	if got := lines(w.plan(parse(t, team))); !slices.Contains(got, "issue bob [new-user]") {
		t.Errorf("after it has expired: %q", got)
	}
	if got := lines(w.plan(without)); !slices.Contains(got, "purge bob [certificates-expired]") {
		t.Errorf("after it has expired, without the user: %q", got)
	}
	w.mustApply(without)
	if w.ledger["bob"] != nil {
		t.Error("a record with nothing to account for is still there")
	}
}

// TestStoredByAnotherRun: a run that did not know of the removal stored the leaver's credential after it.
func TestStoredByAnotherRun(t *testing.T) {
	w := newWorld(t)
	w.mustApply(parse(t, team))
	without := parse(t, strings.Replace(team, "  - {name: bob, groups: [devs]}\n", "", 1))
	w.mustApply(without)
	if _, err := w.put(w.users, "bob", kvVersion{credential: &Credential{}}, 0); err != nil {
		t.Fatal(err)
	}
	w.mustApply(without)
	if w.users["bob"] != nil {
		t.Error("a leaver's credential can still be read")
	}
	if p := w.plan(without); p.Changes() {
		t.Errorf("left: %q", lines(p))
	}
}

// TestLapsed: an end that was moved forward leaves a live certificate behind, which is accounted for.
func TestLapsed(t *testing.T) {
	w := newWorld(t)
	w.mustApply(parse(t, team))
	ended := parse(t, strings.Replace(team, "name: bob,", "name: bob, until: 2026-02-01,", 1))
	w.mustApply(ended)
	rec := w.ledger["bob"].versions[w.ledger["bob"].current].record
	if rec.State != Lapsed || rec.Certificates[0].Status != Revoked || w.users["bob"] != nil {
		t.Errorf("record %+v", rec)
	}
	p := w.plan(ended)
	if got := kinds(p); p.Changes() || !slices.Equal(got, []string{"live-certificate bob"}) {
		t.Errorf("plan %q, notes %q", lines(p), got)
	}
	gone := parse(t, strings.Replace(team, "  - {name: bob, groups: [devs]}\n", "", 1))
	if diff := cmp.Diff([]string{"remove bob [not-in-inventory]"}, lines(w.plan(gone))); diff != "" {
		t.Errorf("out of the file, where the quarantine begins: %s", diff)
	}
	w.mustApply(gone)
	if got := lines(w.plan(parse(t, team))); !slices.Equal(got, []string{"issue bob [new-user] held"}) {
		t.Errorf("back in the file: %q", got)
	}
}

// TestLapseCutOff: a lapse that was cut off anywhere does not quarantine the name while it stays in the file.
func TestLapseCutOff(t *testing.T) {
	until := func(day string) string {
		return strings.Replace(team, "name: bob,", "name: bob, until: "+day+",", 1)
	}
	for _, fault := range []string{"record bob removing", "update ClusterRoleBinding", "erase bob", "record bob lapsed"} {
		t.Run(fault, func(t *testing.T) {
			w := newWorld(t)
			w.mustApply(parse(t, team))
			w.now = time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
			w.fail = failing(fault, errBoom)
			if o, err := w.apply(parse(t, until("2026-03-03"))); err != nil || o.Failed() == 0 {
				t.Fatal(err, results(o))
			}
			w.fail = nil
			w.mustApply(parse(t, until("2026-12-31")))
			if p := w.plan(parse(t, until("2026-12-31"))); p.Changes() || w.users["bob"] == nil {
				t.Errorf("extended: %q", lines(p))
			}
		})
	}
}

// TestReinstate: the same person comes back, also after a removal that was cut off; what they hold is accounted for.
func TestReinstate(t *testing.T) {
	without := strings.Replace(team, "  - {name: bob, groups: [devs]}\n", "", 1)
	for _, fault := range []string{"nothing", "erase bob", "record bob removed", "update ClusterRoleBinding"} {
		t.Run(fault, func(t *testing.T) {
			w := newWorld(t)
			w.mustApply(parse(t, team))
			w.fail = failing(fault, errBoom)
			if _, err := w.apply(parse(t, without)); err != nil {
				t.Fatal(err)
			}
			w.fail = nil
			if got := w.conflicts(team); len(got) == 0 || !strings.Contains(got[0], "--reinstate bob") {
				t.Errorf("without --reinstate: held %q", got)
			}
			w.rules.Reinstate = []string{"bob", "alice"} // alice needs nothing: ignored
			w.mustApply(parse(t, team))
			w.rules = Rules{}
			if p := w.plan(parse(t, team)); p.Changes() {
				t.Errorf("left: %q", lines(p))
			}
			rec := w.ledger["bob"].versions[w.ledger["bob"].current].record
			if rec.State != Active || rec.Certificates[0].Status != Superseded || rec.Certificates[1].Status != Current {
				t.Errorf("record: %+v", rec)
			}
		})
	}
}

// TestUntil: access ends with its day, and the name is not quarantined while it stays in the file.
func TestUntil(t *testing.T) {
	w := newWorld(t)
	until := func(day string) string {
		return strings.Replace(team, "name: bob,", "name: bob, until: "+day+",", 1)
	}
	w.mustApply(parse(t, until("2026-03-03")))
	cur := w.ledger["bob"].versions[1].record.Certificates[0]
	if want := time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC); !cur.NotAfter.Equal(want) {
		t.Errorf("the certificate ends %s, not with the access", cur.NotAfter)
	}
	if got := kinds(w.plan(parse(t, until("2026-03-03")))); !slices.Contains(got, "until-soon bob") {
		t.Errorf("notes: %q", got)
	}
	w.now = time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
	ended := parse(t, until("2026-03-03"))
	if got := lines(w.plan(ended)); !slices.Contains(got, "remove bob [until-passed]") {
		t.Errorf("at the end: %q", got)
	}
	w.mustApply(ended)
	if got := lines(w.plan(ended)); len(got) > 0 {
		t.Errorf("after the end: %q", got)
	}
	if got := lines(w.plan(parse(t, until("2026-04-03")))); !slices.Contains(got, "issue bob [new-user]") {
		t.Errorf("extended: %q", got)
	}
	w.now = time.Date(2026, 4, 3, 23, 55, 0, 0, time.UTC)
	late := w.plan(parse(t, until("2026-04-03")))
	if got := kinds(late); !slices.Contains(got, "too-short bob") {
		t.Errorf("notes 5 minutes before the end: %q", got)
	}
	for _, l := range lines(late) {
		if strings.Contains(l, "+bob") || strings.Contains(l, "issue bob") {
			t.Errorf("5 minutes before the end: %q", l)
		}
	}
}
