package apply_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// ofVersion1 makes a world what a release of certsync with states of version 1 has left: without an index, and with records of
// version 1.
func ofVersion1(w *reconciletest.World) {
	w.State.FormatVersion, w.State.Grants, w.State.Names, w.State.Endpoint = "1", nil, nil, reconcile.Endpoint{}
	for _, s := range w.Ledger {
		rec := *s.Versions[s.Current].Record
		rec.FormatVersion, rec.Run = "1", ""
		w.MarkCurrent(s, reconciletest.KVVersion{Record: &rec})
	}
}

// TestUpgrade: a state of version 1 is taken over by the next apply, which issues nothing and takes nothing.
func TestUpgrade(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	w.MustApply(reconciletest.Parse(t, reconciletest.WithoutBob))
	ofVersion1(w)
	inv := reconciletest.Parse(t, reconciletest.WithoutBob)
	if p := w.Plan(inv); !p.Changes() || len(p.Steps) > 0 || !slices.Contains(reconciletest.Kinds(p), "state-upgraded") {
		t.Errorf("plan: %q, %q", reconciletest.Lines(p), reconciletest.Kinds(p))
	}
	w.MustApply(inv)
	if !slices.Equal(w.Writes(), []string{"write state"}) || w.State.FormatVersion != "2" || !w.State.Names["bob"].Left || w.State.Names["alice"].Left || w.State.Endpoint.Server != w.Endpoint.Server {
		t.Errorf("wrote %q: %+v", w.Writes(), w.State)
	}
	if !w.State.Grants.Has(reconcile.Grant{For: reconcile.ForGroup, Subject: "devs", Role: "view"}, "alice") {
		t.Errorf("grants %+v", w.State.Grants)
	}
	delete(w.Ledger, "bob")
	if w.MustApply(reconciletest.Parse(t, reconciletest.Team)); w.Served("bob") != nil || len(w.Served("bob#2")) != 2 {
		t.Errorf("the leaver comes back: bob has %q, bob#2 %q", w.Served("bob"), w.Served("bob#2"))
	}
}

// TestUpgradeWithAnUnreadableRecord: nobody knows of which certificates it told, so the name may have some.
func TestUpgradeWithAnUnreadableRecord(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	w.MustApply(reconciletest.Parse(t, reconciletest.WithoutBob))
	ofVersion1(w)
	w.Write(w.Ledger, "bob", reconciletest.KVVersion{Record: &reconcile.Record{User: "eve"}})
	if got := w.Conflicts(reconciletest.WithoutBob); len(got) != 1 || !strings.Contains(got[0], "no record of this user") {
		t.Errorf("the upgrade: %q", got)
	}
	delete(w.Ledger, "bob")
	if w.MustApply(reconciletest.Parse(t, reconciletest.Team)); w.Served("bob") != nil || len(w.Served("bob#2")) != 2 {
		t.Errorf("the leaver comes back: bob has %q, bob#2 %q", w.Served("bob"), w.Served("bob#2"))
	}
}

// TestUpgradeThatRemovesHalf: the first run after the upgrade has no index to count by, and is refused all the same.
func TestUpgradeThatRemovesHalf(t *testing.T) {
	for sentence, after := range map[string]string{
		"of the users":    reconciletest.Crew(8, 0, 1, 2, 3),
		"of their roles":  strings.ReplaceAll(reconciletest.Crew(8), ", clusterRoles: [edit]", ""),
		"of their groups": strings.NewReplacer("user00, groups: [devs]", "user00", "user01, groups: [devs]", "user01", "user02, groups: [devs]", "user02", "user03, groups: [devs]", "user03", "user04, groups: [devs]", "user04").Replace(reconciletest.Crew(8)),
	} {
		t.Run(sentence, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			w.MustApply(reconciletest.Parse(t, reconciletest.Crew(8)))
			ofVersion1(w)
			if got := w.Refused(after); len(got) == 0 || !strings.HasSuffix(got[0], "(--max-removals)") {
				t.Errorf("%q", got)
			}
		})
	}
}

// TestNewLedger: a state that cannot be read stops every run but one that begins a new one, from the ledger and the inventory.
func TestNewLedger(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	w.MustApply(reconciletest.Parse(t, reconciletest.WithoutBob))
	w.State, w.StateProblem = nil, reconciletest.ErrBoom
	inv := reconciletest.Parse(t, reconciletest.WithoutBob)
	if _, err := w.Apply(inv); err != reconciletest.ErrBoom || len(w.Writes()) > 0 {
		t.Errorf("%v, wrote %q", err, w.Writes())
	}
	w.Rules.NewLedger = true
	if w.MustApply(inv); !slices.Equal(w.Writes(), []string{"write state"}) || !w.State.Names["bob"].Left || w.State.Generation != 3 {
		t.Errorf("wrote %q: %+v", w.Writes(), w.State)
	}
}
