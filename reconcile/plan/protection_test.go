package plan_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// guardedTeam is the team, in which bob is protected, with other text in place of some.
func guardedTeam(oldNew ...string) string {
	return strings.NewReplacer(oldNew...).Replace(strings.Replace(reconciletest.Team, "name: bob,", "name: bob, protected: true,", 1))
}

// protectedWorld has applied guardedTeam.
func protectedWorld(t *testing.T) *reconciletest.World {
	t.Helper()
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, guardedTeam()))
	if !w.State.Names["bob"].Protected || w.State.Names["alice"].Protected {
		t.Fatalf("%+v", w.State.Names)
	}
	w.Rules.MaxRemovals = reconciletest.Limit(t, "100%")
	return w
}

// TestProtectedRefusals: whatever takes something from a protected user refuses the plan, and says the way.
func TestProtectedRefusals(t *testing.T) {
	const (
		entry  = "a protected user (first take protected out of the entry and apply, and then make this change)"
		before = "who was protected until now (first apply the inventory without protected and without this change)"
		gone   = "a protected user who is not in the inventory (put the entry back without protected, apply, and then delete the entry)"
	)
	for name, tt := range map[string]struct {
		text string
		want []string
	}{
		"nothing":                     {guardedTeam(), nil},
		"the entry goes":              {reconciletest.WithoutBob, []string{`would remove "bob", ` + gone}},
		"all entries go":              {"users: []", []string{"the inventory has no users: everybody would lose access (--allow-empty)"}},
		"a role goes":                 {guardedTeam("clusterRoles: [view]", "clusterRoles: []"), []string{`would take view cluster-wide from "bob", ` + entry}},
		"a role goes with protection": {strings.Replace(reconciletest.Team, "clusterRoles: [view]", "clusterRoles: []", 1), []string{`would take view cluster-wide from "bob", ` + before}},
		"it moves ahead":              {guardedTeam("name: bob,", "name: bob, from: 2027-01-31,"), []string{`would remove "bob", ` + entry}},
		"it has ended":                {guardedTeam("name: bob,", "name: bob, until: 2026-02-01,"), []string{`would remove "bob", ` + entry}},
		"it is revoked":               {guardedTeam("name: bob,", "name: bob, revokedBefore: 2026-03-01T13:00:00Z,"), []string{`would revoke the certificates of "bob", ` + entry}},
		"a rename":                    {guardedTeam("name: bob,", "name: robert, previously: [bob],"), nil},
		"a rename with a loss":        {guardedTeam("name: bob,", "name: robert, previously: [bob],", "clusterRoles: [view]", "clusterRoles: []"), []string{`would take view cluster-wide from "robert", ` + entry}},
		"a rename without protection": {strings.Replace(reconciletest.Team, "name: bob,", "name: robert, previously: [bob],", 1), nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := protectedWorld(t)
			w.Now = w.Now.Add(2 * time.Hour)
			p := w.Plan(reconciletest.Parse(t, tt.text))
			got := p.Refusals()
			for i := range got { // how a role is written is not for this test
				got[i] = strings.ReplaceAll(got[i], `ClusterRole "view"`, "view")
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestProtectedGoesInTwoRuns: one run takes protection from the user, and a later one the access. --hold holds that user alone.
func TestProtectedGoesInTwoRuns(t *testing.T) {
	w := protectedWorld(t)
	gone, plain := reconciletest.Parse(t, reconciletest.WithoutBob), reconciletest.Parse(t, reconciletest.Team)
	w.Hold = true
	if _, err := w.Apply(gone); err != nil || len(w.Served("bob")) != 2 {
		t.Errorf("%v, bob has %q", err, w.Served("bob"))
	}
	w.Hold = false
	if !w.State.Names["bob"].Protected || len(w.Plan(gone).Refusals()) != 1 {
		t.Error("a held removal ends the protection")
	}
	if diff := cmp.Diff([]string{"update bob [unprotected]"}, reconciletest.Lines(w.Plan(plain))); diff != "" {
		t.Error(diff)
	}
	w.Rules.Policy = reconcile.CreateOnly
	if p := w.Plan(plain); !p.State.Names["bob"].Protected || p.Steps[0].Held == "" {
		t.Errorf("a policy that holds updates ends the protection: %q", reconciletest.Lines(p))
	}
	w.Rules.Policy = ""
	o := w.MustApply(plain)
	if len(o.Events) != 1 || o.Events[0].Note == "" || len(w.BindingWrites()) > 0 {
		t.Errorf("%+v, %q", o.Events, w.BindingWrites())
	}
	if p := w.Plan(plain); p.Changes() {
		t.Errorf("left: %q", reconciletest.Lines(p))
	}
	w.MustApply(gone)
	if w.Served("bob") != nil {
		t.Errorf("bob has %q", w.Served("bob"))
	}
}

// TestProtectedRename: protection goes with the person.
func TestProtectedRename(t *testing.T) {
	w := protectedWorld(t)
	w.MustApply(reconciletest.Parse(t, guardedTeam("name: bob,", "name: robert, previously: [bob],")))
	if w.State.Names["bob"].Protected || !w.State.Names["robert"].Protected {
		t.Errorf("%+v", w.State.Names)
	}
	if got := w.Plan(reconciletest.Parse(t, guardedTeam("name: bob,", "name: robert,"))).Refusals(); len(got) > 0 {
		t.Errorf("without the old name: %q", got)
	}
	if got := w.Plan(reconciletest.Parse(t, reconciletest.WithoutBob)).Refusals(); len(got) != 1 || !strings.Contains(got[0], `"robert"`) {
		t.Errorf("%q", got)
	}

	// A rename that takes protection out at once.
	w = protectedWorld(t)
	plain := reconciletest.Parse(t, strings.Replace(reconciletest.Team, "name: bob,", "name: robert, previously: [bob],", 1))
	if got := reconciletest.Lines(w.Plan(plain)); !slices.Contains(got, "update robert [unprotected]") {
		t.Errorf("%q", got)
	}
	w.MustApply(plain)
	if p := w.Plan(plain); p.Changes() || p.State.Names["bob"].Protected || p.State.Names["robert"].Protected {
		t.Errorf("left: %q, %+v", reconciletest.Lines(p), p.State.Names)
	}
}

// TestProtectedRenameToAnEarlierName: bob was robert, before certsync knew them, and is again, when the certificates of that name are
// revoked. The new name begins its next epoch at once, which takes nothing from bob.
func TestProtectedRenameToAnEarlierName(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, guardedTeam("name: bob,", "name: bob, previously: [robert],")))
	w.Now = w.Now.Add(2 * time.Hour)
	p := w.Plan(reconciletest.Parse(t, strings.Replace(reconciletest.Team, "name: bob,", "name: robert, previously: [bob], revokedBefore: 2026-03-01T13:00:00Z,", 1)))
	i := slices.IndexFunc(p.Steps, func(s reconcile.Step) bool { return s.User == "robert" && s.Action == reconcile.Issue })
	if i < 0 || p.Steps[i].Username != "robert#2" || len(p.Refusals()) > 0 {
		t.Errorf("%q, refused for %q", reconciletest.Lines(p), p.Refusals())
	}
}

// TestProtectedWithoutState: a lost state protects nobody whom the inventory does not.
func TestProtectedWithoutState(t *testing.T) {
	w := protectedWorld(t)
	w.State, w.StateVersion = nil, 0
	w.Rules.NewLedger, w.Rules.AcceptRollback = true, true
	if got := w.Plan(reconciletest.Parse(t, reconciletest.WithoutBob)).Refusals(); len(got) > 0 {
		t.Errorf("%q", got)
	}
	if got := w.Plan(reconciletest.Parse(t, guardedTeam("clusterRoles: [view]", "clusterRoles: []"))).Refusals(); len(got) != 1 {
		t.Errorf("%q", got)
	}
}
