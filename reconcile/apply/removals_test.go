package apply_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// nightTeam is the team after carol has left.
var nightTeam = strings.Replace(reconciletest.Team, "  - {name: carol, namespaces: {payments: [edit]}}\n", "", 1)

// night is a world in which Vault is down: each call to it fails the test, as does each call to the signer. Carol has left, and
// alice's key was stolen.
func night(t *testing.T) (*reconciletest.World, *inventory.Inventory) {
	t.Helper()
	w := hourLater(t)
	w.Rules.Revoke = []string{"alice"}
	w.Fail = noVault(t, nil)
	return w, reconciletest.Parse(t, nightTeam)
}

// noVault lets through what a run without Vault may call, and asks also after that.
func noVault(t *testing.T, also func(call string) error) func(string) error {
	return func(call string) error {
		may := []string{"observe cluster", "review access", "lock", "unlock", "revoke [", "update ", "delete "}
		if !slices.ContainsFunc(may, func(prefix string) bool { return strings.HasPrefix(call, prefix) }) {
			t.Errorf("called: %s", call)
		}
		if also != nil {
			return also(call)
		}
		return nil
	}
}

// tookAll: alice and carol have nothing, bob all that he should, and the lock knows whom the run has revoked.
func tookAll(t *testing.T, w *reconciletest.World) {
	t.Helper()
	if w.Served("alice") != nil || w.Served("carol") != nil || len(w.Served("bob")) != 2 || w.Revoked["alice"].IsZero() || len(w.Revoked) != 1 {
		t.Errorf("alice has %q, carol %q, bob %q; at the lock %v", w.Served("alice"), w.Served("carol"), w.Served("bob"), w.Revoked)
	}
}

// dawn has Vault back: the next run writes the ledger and goes on, and alice has a new name. The run after that does nothing.
func dawn(t *testing.T, w *reconciletest.World, inv *inventory.Inventory) {
	t.Helper()
	w.Fail, w.Rules = nil, reconcile.Rules{Drift: true}
	if w.State.InventoryDigest != inv.Digest() {
		w.Rules = reconcile.Rules{}
	}
	w.MustApply(inv)
	if len(w.Served("alice#2")) != 3 || w.Served("alice") != nil || len(w.Revoked) > 0 || w.State.Epochs != 2 || w.Epochs != 2 {
		t.Errorf("alice#2 has %q, alice %q; at the lock %v", w.Served("alice#2"), w.Served("alice"), w.Revoked)
	}
	if rec := w.Ledger["carol"].Versions[w.Ledger["carol"].Current].Record; rec.State != reconcile.Removed || w.Users["carol"] != nil || w.Served("carol") != nil {
		t.Errorf("carol's record %+v", rec)
	}
	if p := w.Plan(inv); p.Changes() {
		t.Errorf("once more: %q", reconciletest.Lines(p))
	}
}

// TestRemovalsWithoutVault: a run needs the cluster alone, notes at the lock whom it revokes before it takes anything, and writes
// bindings and nothing else.
func TestRemovalsWithoutVault(t *testing.T) {
	w, inv := night(t)
	state, version, mark := *w.State, w.StateVersion, w.Mark
	o := w.MustRemove(inv)
	want := []string{
		"delete ClusterRoleBinding certsync:test:user:alice:admin",
		"delete RoleBinding payments/certsync:test:user:carol:edit",
		"update ClusterRoleBinding certsync:test:group:devs:view[bob]",
		"update RoleBinding staging/certsync:test:group:devs:edit[bob]",
	}
	calls := w.Calls
	if diff := cmp.Diff(want, slices.Sorted(slices.Values(w.BindingWrites()))); diff != "" {
		t.Error(diff)
	}
	first := slices.IndexFunc(calls, func(c string) bool { return strings.Contains(c, "Binding ") })
	if first < 1 || calls[first-1] != "revoke [alice] at the lock" || calls[len(calls)-1] != "unlock" || slices.Index(calls, "lock") > first {
		t.Errorf("%q", calls)
	}
	if diff := cmp.Diff(state, *w.State); diff != "" || w.StateVersion != version || w.Mark != mark || len(w.Ledger) != 3 || len(w.Users) != 3 {
		t.Errorf("%s: state at version %d, %+v at the lock", diff, w.StateVersion, w.Mark)
	}
	if len(o.Events) != 4 || o.Plan.Unchanged != 1 {
		t.Errorf("%q, %d unchanged", reconciletest.Results(o), o.Plan.Unchanged)
	}
	tookAll(t, w)
	dawn(t, w, inv)
}

// TestDriftRunAfterRevocation: the job that corrects drift does not give a revoked certificate its access back.
func TestDriftRunAfterRevocation(t *testing.T) {
	w, _ := night(t)
	team := reconciletest.Parse(t, reconciletest.Team)
	w.MustRemove(team)
	w.Fail, w.Rules = nil, reconcile.Rules{Drift: true}
	for range 2 {
		w.MustApply(team)
		onlyEpoch(t, w, "alice#2", "alice", "alice#3")
	}
}

// TestRemovalsAgain: what was taken is not taken twice. A revocation that is asked for again is noted again.
func TestRemovalsAgain(t *testing.T) {
	w, inv := night(t)
	w.MustRemove(inv)
	w.Now = w.Now.Add(time.Hour)
	w.MustRemove(inv)
	if diff := cmp.Diff([]string{"revoke [alice] at the lock"}, slices.DeleteFunc(w.Calls, func(c string) bool { return !strings.HasPrefix(c, "revoke [") })); diff != "" || len(w.BindingWrites()) > 0 {
		t.Errorf("%s%q", diff, w.Writes())
	}
	if !w.Revoked["alice"].Equal(w.Now) {
		t.Errorf("at the lock %v", w.Revoked)
	}
	w.Rules.Revoke = nil
	if w.MustRemove(inv); slices.Contains(w.Calls, "lock") {
		t.Errorf("with nothing to do: %q", w.Calls)
	}
	tookAll(t, w)
}

// TestRemovalsMeetFaults: a run that fails or ends anywhere is finished by the next one without Vault, and by one with Vault. At no
// time does anybody get anything.
func TestRemovalsMeetFaults(t *testing.T) {
	w, inv := night(t)
	w.MustRemove(inv)
	calls := len(w.Calls)
	for _, end := range []string{"fails", "ends"} {
		for n := range calls {
			for _, vault := range []bool{false, true} {
				t.Run(fmt.Sprint(end, " at call ", n, ", Vault is back: ", vault), func(t *testing.T) {
					w, inv := night(t)
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					before, i := maps.Clone(w.Bindings), 0
					w.Fail = noVault(t, func(string) error {
						i++
						if i-1 != n {
							return nil
						}
						if end == "ends" {
							cancel()
						}
						return reconciletest.ErrBoom
					})
					o, err := w.RemoveIn(ctx, inv)
					if err == nil && o.Failed() == 0 && n != calls-1 {
						t.Errorf("it said that all was done: %q", reconciletest.Results(o))
					}
					for object, b := range w.Bindings {
						for _, s := range b.Subjects {
							if !slices.Contains(before[object].Subjects, s) {
								t.Errorf("%s got %s", s, object)
							}
						}
					}
					if vault && w.Revoked != nil {
						dawn(t, w, inv)
						return
					}
					w.Fail = noVault(t, nil)
					w.MustRemove(inv)
					tookAll(t, w)
					dawn(t, w, inv)
				})
			}
		}
	}
}

// TestDawnMeetsFaults: the run that takes a revocation over from the lock is cut off at any call. The old name gets nothing at any
// time, the next run goes on, and the user begins one epoch.
func TestDawnMeetsFaults(t *testing.T) {
	ready := func() (*reconciletest.World, *inventory.Inventory) {
		w, inv := night(t)
		w.MustRemove(inv)
		w.Rules = reconcile.Rules{}
		return w, inv
	}
	w, inv := ready()
	w.Fail = nil
	w.MustApply(inv)
	calls := len(w.Calls)
	for n := range calls {
		w, inv := ready()
		i := 0
		w.Fail = func(call string) error {
			if w.Served("alice") != nil {
				t.Errorf("call %d: alice has %q before %s", n, w.Served("alice"), call)
			}
			if i++; i > n {
				return reconciletest.ErrBoom // from here on nothing works: the run is dead
			}
			return nil
		}
		_, _ = w.Apply(inv)
		w.Fail = nil
		w.MustApply(inv)
		if w.Served("alice") != nil || len(w.Served("alice#2")) != 3 || w.State.Epochs != 2 {
			t.Errorf("call %d: alice has %q, her name %+v", n, w.Served("alice"), w.State.Names["alice"])
		}
		w.MustApply(reconciletest.Parse(t, nightTeam+"  - {name: dave}\n"))
		if len(w.Revoked) > 0 || w.State.Epochs != 2 {
			t.Errorf("call %d: at the lock %v, %d epochs", n, w.Revoked, w.State.Epochs)
		}
	}
}

// TestRemovalsLoseTheLock: no step begins after that.
func TestRemovalsLoseTheLock(t *testing.T) {
	w, inv := night(t)
	w.Fail = noVault(t, func(call string) error {
		if strings.HasPrefix(call, "revoke [") {
			w.Lose(reconcile.ErrLockLost)
		}
		return nil
	})
	o, err := w.Remove(inv)
	if err != nil || len(w.BindingWrites()) > 0 || len(o.Ended(reconcile.Held)) != 4 || !strings.Contains(o.Events[0].Error, reconcile.ErrLockLost.Error()) {
		t.Errorf("%v, %q", err, w.Calls)
	}
	w.Fail = noVault(t, reconciletest.Failing("lock", reconcile.Locked{Name: "kube-system/certsync-test", Holder: "carol"}))
	if _, err := w.Remove(inv); err == nil || !strings.Contains(err.Error(), `another run holds the lock kube-system/certsync-test: "carol"`) {
		t.Error(err)
	}
}

// TestRemovalsAskFirst: consent is for one plan, --expect takes that and no other, and a missing right ends the run before it
// writes. Rights in namespaces are not asked for: tenants choose where bindings with our names are.
func TestRemovalsAskFirst(t *testing.T) {
	w, inv := night(t)
	var agreed reconcile.Plan
	w.Consent = func(p reconcile.Plan) error {
		agreed = p
		delete(w.Bindings, "ClusterRoleBinding certsync:test:user:alice:admin") // somebody is faster
		return nil
	}
	if _, err := w.Remove(inv); !reconciletest.IsRefused(err) || len(w.BindingWrites()) > 0 || w.Revoked != nil {
		t.Errorf("%v, wrote %q", err, w.Writes())
	}
	w.Consent, w.Rules.Expect = nil, agreed.Digest()
	if _, err := w.Remove(inv); !reconciletest.IsRefused(err) || !strings.Contains(err.Error(), "--expect") {
		t.Error(err)
	}
	w.Rules.Expect = ""
	w.Denies = []reconcile.Permission{{Verb: "patch", Group: reconcile.RBACGroup, Resource: "clusterrolebindings"}}
	if _, err := w.Remove(inv); err == nil || !strings.Contains(err.Error(), `"certsync" may not: patch clusterrolebindings`) || len(w.BindingWrites()) > 0 {
		t.Error(err)
	}
	w.Denies = nil
	asked := w.Asked
	if slices.ContainsFunc(asked, func(p reconcile.Permission) bool { return p.Resource == "rolebindings" }) || len(asked) == 0 {
		t.Errorf("asked for %v", asked)
	}
	w.MustRemove(inv)
	tookAll(t, w)
}

// TestNothingGivesTheOldNameBack: who was revoked without Vault gets a new name, also under a policy that takes nothing and under
// --protect: the run without Vault has taken everything, and the old name would get it back.
func TestNothingGivesTheOldNameBack(t *testing.T) {
	for sentence, r := range map[string]reconcile.Rules{
		"upsert-only": {Policy: reconcile.UpsertOnly}, "create-only": {Policy: reconcile.CreateOnly}, "protected": {Protect: []string{"alice"}}, "self": {Self: "alice"},
	} {
		t.Run(sentence, func(t *testing.T) {
			w, _ := night(t)
			team := reconciletest.Parse(t, reconciletest.Team)
			w.MustRemove(team)
			w.Fail, w.Rules, w.Hold = nil, r, true
			if _, err := w.Apply(team); err != nil || w.Served("alice") != nil {
				t.Errorf("%v; alice has %q", err, w.Served("alice"))
			}
			w.Rules = reconcile.Rules{}
			w.MustApply(team)
			onlyEpoch(t, w, "alice#2", "alice")
		})
	}
}

// TestRevocationOfOthersStays: the lock goes on saying who is revoked as long as the state cannot: the user's time has passed and
// may be extended, or a guard keeps their removal. A user who has left begins a later epoch by the state.
func TestRevocationOfOthersStays(t *testing.T) {
	const lapsed = "{name: alice, until: 2026-02-28,"
	w, _ := night(t)
	team := reconciletest.Parse(t, reconciletest.Team)
	w.MustRemove(team)
	w.Fail, w.Rules = nil, reconcile.Rules{}
	w.MustApply(reconciletest.Parse(t, strings.Replace(reconciletest.Team, "{name: alice,", lapsed, 1)))
	if w.Revoked["alice"].IsZero() || w.Served("alice") != nil {
		t.Errorf("at the lock %v, alice has %q", w.Revoked, w.Served("alice"))
	}
	w.MustApply(team)
	onlyEpoch(t, w, "alice#2", "alice")

	w, _ = night(t)
	w.MustRemove(team)
	w.Fail, w.Rules = nil, reconcile.Rules{}
	w.MustApply(reconciletest.Parse(t, strings.Replace(reconciletest.Team, "  - {name: alice, groups: [devs], clusterRoles: [admin]}\n", "", 1)))
	if len(w.Revoked) > 0 {
		t.Errorf("at the lock %v", w.Revoked)
	}
	w.MustApply(team)
	onlyEpoch(t, w, "alice#2", "alice")
}

// TestPlanTellsOfTheLock: a plan says why somebody begins a new epoch.
func TestPlanTellsOfTheLock(t *testing.T) {
	w, inv := night(t)
	w.MustRemove(inv)
	w.Fail, w.Rules = nil, reconcile.Rules{}
	p := w.Plan(inv)
	i := slices.IndexFunc(p.Notes, func(n reconcile.Note) bool { return n.Kind == reconcile.RevokedAtLock })
	if i < 0 || p.Notes[i].User != "alice" || !strings.Contains(p.Notes[i].Message, "at "+w.Revoked["alice"].Format(time.RFC3339)) {
		t.Errorf("%+v", p.Notes)
	}
	if !slices.ContainsFunc(reconciletest.Lines(p), func(l string) bool { return strings.HasPrefix(l, "reissue alice [revoked") }) {
		t.Errorf("%q", reconciletest.Lines(p))
	}
}
