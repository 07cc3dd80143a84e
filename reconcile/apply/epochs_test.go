package apply_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// revoked is the team's inventory in which alice's certificates from before a time are void.
func revoked(t time.Time) string {
	return strings.Replace(reconciletest.Team, "{name: alice,", "{name: alice, revokedBefore: "+t.Format(time.RFC3339)+",", 1)
}

// an hour after the team has got its certificates.
func hourLater(t *testing.T) *reconciletest.World {
	t.Helper()
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	w.Now = w.Now.Add(time.Hour)
	return w
}

// onlyEpoch: alice has in that epoch what she had in the first, and nothing in any other; nobody else has lost anything.
func onlyEpoch(t *testing.T, w *reconciletest.World, now string, others ...string) {
	t.Helper()
	want := []string{"ClusterRoleBinding certsync:test:group:devs:view", "ClusterRoleBinding certsync:test:user:alice:admin", "RoleBinding staging/certsync:test:group:devs:edit"}
	if diff := cmp.Diff(want, w.Served(now)); diff != "" {
		t.Errorf("%s: %s", now, diff)
	}
	for _, name := range others {
		if got := w.Served(name); got != nil {
			t.Errorf("%s has %q", name, got)
		}
	}
	if len(w.Served("bob")) != 2 || len(w.Served("carol")) != 1 {
		t.Errorf("bob has %q, carol %q", w.Served("bob"), w.Served("carol"))
	}
}

// TestRevokedBefore: the old name loses its bindings before a new certificate is asked for, and the new one gets them. That
// costs one certificate, and happens once.
func TestRevokedBefore(t *testing.T) {
	w := hourLater(t)
	inv := reconciletest.Parse(t, revoked(w.Now.Add(-time.Minute)))
	if got := reconciletest.Lines(w.Plan(inv)); !slices.Contains(got, "unbind alice ClusterRoleBinding user:alice:admin [revoked]") {
		t.Errorf("%q", got)
	}
	w.MustApply(inv)
	want := []string{
		"write state",
		"update ClusterRoleBinding certsync:test:group:devs:view[bob]",
		"update RoleBinding staging/certsync:test:group:devs:edit[bob]",
		"delete ClusterRoleBinding certsync:test:user:alice:admin",
		"issue alice#2 within 30s", "login alice#2", "record alice active", "store alice", "destroy alice [1]",
		"create ClusterRoleBinding certsync:test:user:alice:admin[alice#2]",
		"update ClusterRoleBinding certsync:test:group:devs:view[bob alice#2]",
		"update RoleBinding staging/certsync:test:group:devs:edit[bob alice#2]",
	}
	if diff := cmp.Diff(want, w.Writes()); diff != "" {
		t.Error(diff)
	}
	onlyEpoch(t, w, "alice#2", "alice")
	rec := w.Ledger["alice"].Versions[w.Ledger["alice"].Current].Record
	if rec.Epoch != 2 || rec.Certificates[0].Status != reconcile.Revoked || rec.Certificates[0].Epoch != 1 || rec.Certificates[1].Epoch != 2 {
		t.Errorf("record %+v", rec)
	}
	if w.State.Epochs != 2 || w.Epochs != 2 || w.State.Names["alice"].Epoch != 2 || w.State.Names["bob"].Epoch != 1 {
		t.Errorf("state %+v, at the lock %+v", w.State.Names, w.Mark)
	}
	if p := w.Plan(inv); p.Changes() {
		t.Errorf("once more: %q", reconciletest.Lines(p))
	}
}

// TestRevokedAhead: a time that lies ahead is noted, and acts once when it has come.
func TestRevokedAhead(t *testing.T) {
	w := hourLater(t)
	inv := reconciletest.Parse(t, revoked(w.Now.Add(time.Hour)))
	w.MustApply(inv)
	if p := w.Plan(inv); p.Changes() || !slices.Contains(reconciletest.Kinds(p), "revocation-ahead alice") {
		t.Errorf("%q, %q", reconciletest.Lines(p), reconciletest.Kinds(p))
	}
	onlyEpoch(t, w, "alice", "alice#2")
	w.Now = w.Now.Add(time.Hour)
	for range 2 {
		w.MustApply(inv)
		onlyEpoch(t, w, "alice#2", "alice", "alice#3")
	}
}

// TestRevokedBeforeTheFirst: a time that comes before the first certificate of an epoch does not revoke it.
func TestRevokedBeforeTheFirst(t *testing.T) {
	w := reconciletest.NewWorld(t)
	user := func(until time.Duration) string {
		return "defaults: {revokedBefore: " + w.Now.Format(time.RFC3339) + "}\nusers: [{name: alice, clusterRoles: [view], until: " + w.Now.Add(until).Format(time.RFC3339) + "}]"
	}
	w.MustApply(reconciletest.Parse(t, user(5*time.Minute))) // which is too short for a certificate
	w.Now = w.Now.Add(time.Hour)
	inv := reconciletest.Parse(t, user(time.Hour))
	w.MustApply(inv)
	if p := w.Plan(inv); p.Changes() {
		t.Errorf("once more: %q", reconciletest.Lines(p))
	}
}

// TestRevocationsGoByTheServersClock: where the clock here is ahead or behind, a certificate from before revokedBefore is void all
// the same, and is revoked once.
func TestRevocationsGoByTheServersClock(t *testing.T) {
	for _, skew := range []time.Duration{-time.Minute, time.Minute} {
		t.Run(skew.String(), func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			w.Skew = skew
			w.MustApply(reconciletest.Parse(t, reconciletest.Team))
			w.Now = w.Now.Add(20 * time.Second)
			inv := reconciletest.Parse(t, revoked(w.Now.Add(skew-10*time.Second)))
			for range 2 {
				w.MustApply(inv)
				onlyEpoch(t, w, "alice#2", "alice", "alice#3")
			}
		})
	}
}

// TestRevokedAndExpired: a certificate that is issued after revokedBefore is not revoked by it, where those from before have ended.
func TestRevokedAndExpired(t *testing.T) {
	w := hourLater(t)
	w.Now = w.Now.Add((168 + 51) * time.Hour)
	inv := reconciletest.Parse(t, revoked(w.Now.Add(-time.Minute)))
	for range 2 {
		w.MustApply(inv)
		onlyEpoch(t, w, "alice", "alice#2")
	}
}

// TestRevoke: --revoke acts at once, also twice in a row, and the next run without it leaves it so.
func TestRevoke(t *testing.T) {
	w := hourLater(t)
	inv := reconciletest.Parse(t, reconciletest.Team)
	for _, now := range []string{"alice#2", "alice#3"} {
		w.Rules.Revoke = []string{"alice"}
		w.MustApply(inv)
		w.Rules.Revoke = nil
		w.MustApply(inv)
		onlyEpoch(t, w, now, "alice")
	}
	if _, err := w.Apply(reconciletest.Parse(t, reconciletest.WithoutBob)); err != nil {
		t.Fatal(err)
	}
	w.Rules.Revoke = []string{"bob", "allice"}
	if _, err := w.Apply(inv); err == nil || !strings.Contains(err.Error(), `--revoke "allice"`) {
		t.Error(err)
	}
}

// TestRevokedAndNotIssued: whose new certificate does not come has no access, and the next run goes on.
func TestRevokedAndNotIssued(t *testing.T) {
	w := hourLater(t)
	inv := reconciletest.Parse(t, revoked(w.Now))
	w.Fail = reconciletest.Failing("issue alice", reconciletest.ErrBoom)
	if o, err := w.Apply(inv); err != nil || o.Failed() == 0 {
		t.Fatal(err)
	}
	if w.Served("alice") != nil || w.Served("alice#2") != nil {
		t.Errorf("alice has %q, alice#2 %q", w.Served("alice"), w.Served("alice#2"))
	}
	w.Fail = nil
	w.MustApply(inv)
	onlyEpoch(t, w, "alice#2", "alice")
}

// TestRevokedAndRenamed: an old name of an earlier epoch does not wait for the new name. Only the present one does.
func TestRevokedAndRenamed(t *testing.T) {
	w := hourLater(t)
	w.Rules.Revoke = []string{"alice"}
	w.Fail = reconciletest.Failing("update ", reconciletest.ErrBoom)
	if _, err := w.Apply(reconciletest.Parse(t, reconciletest.Team)); err != nil || len(w.Served("alice")) != 2 {
		t.Fatal(err, w.Served("alice"))
	}
	w.Rules.Revoke, w.Fail = nil, reconciletest.Failing("issue alicia", reconciletest.ErrBoom)
	if _, err := w.Apply(reconciletest.Renamed(t)); err != nil || w.Served("alice") != nil || w.Served("alice#2") == nil {
		t.Errorf("%v; alice has %q, alice#2 %q", err, w.Served("alice"), w.Served("alice#2"))
	}
}

// TestRevokedIsProtected: nothing is revoked from somebody who is protected, and a guard says so.
func TestRevokedIsProtected(t *testing.T) {
	w := hourLater(t)
	w.Rules.Protect, w.Rules.Revoke = []string{"alice"}, []string{"alice"}
	if got := w.Refused(reconciletest.Team); len(got) != 1 || !strings.Contains(got[0], `would revoke the certificates of "alice", a protected user`) {
		t.Errorf("%q", got)
	}
	if w.Holding(reconciletest.Team); len(w.Served("alice")) != 3 || w.State.Names["alice"].Epoch != 1 {
		t.Errorf("alice has %q", w.Served("alice"))
	}
}

// TestRevocationsAreNoRemovals: --max-removals does not count them.
func TestRevocationsAreNoRemovals(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Crew(8)))
	w.Now = w.Now.Add(time.Hour)
	w.Rules.MaxRemovals = reconciletest.Limit(t, "0")
	w.MustApply(reconciletest.Parse(t, "defaults: {revokedBefore: "+w.Now.Format(time.RFC3339)+"}\n"+reconciletest.Crew(8)))
	numbers := map[string]bool{}
	for _, s := range w.Subjects(reconciletest.GroupView) {
		_, number, later := strings.Cut(s, "#")
		if !later || numbers[number] {
			t.Errorf("%s is in the group", s)
		}
		numbers[number] = true
	}
	if len(numbers) != 8 || w.State.Epochs != 9 {
		t.Errorf("numbers %v, %d given", numbers, w.State.Epochs)
	}
}

// TestRestoredStateProtects: a guard keeps what a protected user has, also if the index is from before their epoch.
func TestRestoredStateProtects(t *testing.T) {
	w := hourLater(t)
	old, ledger := *w.State, copied(w.Ledger)
	w.Rules.Revoke = []string{"alice"}
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	w.State, w.Ledger, w.Rules = &old, ledger, reconcile.Rules{AcceptRollback: true, Protect: []string{"alice"}}
	w.Holding(strings.Replace(reconciletest.Team, "  - {name: alice, groups: [devs], clusterRoles: [admin]}\n", "", 1))
	if len(w.Served("alice#2")) != 3 {
		t.Errorf("alice has %q", w.Served("alice#2"))
	}
}

// TestNameThatIsTooLong: its bindings go, and nothing is issued until its certificates have ended.
func TestNameThatIsTooLong(t *testing.T) {
	long := strings.Repeat("a", 63)
	text := "users: [{name: " + long + ", clusterRoles: [view]}, {name: bob, clusterRoles: [view]}]"
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, text))
	w.Rules.Revoke = []string{long}
	for range 2 {
		if held := w.Conflicts(text); len(held) != 1 || !strings.Contains(held[0], "over 64 bytes") || w.Served(long) != nil || w.Served("bob") == nil {
			t.Errorf("held %q, has %q", held, w.Served(long))
		}
		w.Rules.Revoke = nil
	}
	w.Now = w.Now.Add((168 + 51) * time.Hour)
	if w.MustApply(reconciletest.Parse(t, text)); w.Served(long) == nil {
		t.Error("its certificates have ended, and nothing is issued")
	}
}

// TestNameThatIsTooLongToMoveIn: a name that certsync does not know, and that cannot begin in a later epoch, gets nothing.
func TestNameThatIsTooLongToMoveIn(t *testing.T) {
	w := reconciletest.NewWorld(t)
	text := "users: [{name: " + strings.Repeat("a", 63) + ", revokedBefore: 2026-01-31, clusterRoles: [view]}]"
	w.Conflicts(text)
	if held := w.Conflicts(text); len(held) != 1 || !strings.Contains(held[0], "(give the user a shorter name)") || len(w.Bindings) > 0 || len(w.Writes()) > 0 {
		t.Errorf("held %q, bindings %v, writes %q", held, w.Bindings, w.Writes())
	}
}

// TestMovingIn: a name that certsync does not know begins in a later epoch, if certificates from before are to be void. To a policy
// that takes nothing away that is no loss.
func TestMovingIn(t *testing.T) {
	for _, policy := range []reconcile.Policy{reconcile.Sync, reconcile.CreateOnly} {
		w := reconciletest.NewWorld(t)
		w.Rules.Policy = policy
		w.MustApply(reconciletest.Parse(t, revoked(w.Now.Add(-time.Hour))))
		onlyEpoch(t, w, "alice#2", "alice")
		if p := w.Plan(reconciletest.Parse(t, revoked(w.Now.Add(-time.Hour)))); p.Changes() {
			t.Errorf("%s, once more: %q", policy, reconciletest.Lines(p))
		}
	}
}

// TestRevokedOwnKey: who has a key of their own needs a request for the new name, and the plan has the command.
func TestRevokedOwnKey(t *testing.T) {
	w := reconciletest.NewWorld(t)
	inv := reconciletest.WithOwnKey(t, reconciletest.Parse(t, reconciletest.Team), "alice", "laptop")
	w.MustApply(inv)
	w.Rules.Revoke = []string{"alice"}
	o, err := w.Apply(inv)
	held := o.Ended(reconcile.Held)
	if err != nil || len(held) == 0 || !strings.Contains(held[0].Error, `openssl req -new -key KEY -subj '/CN=alice#2/O=devs' -out FILE`) || w.Served("alice") != nil {
		t.Errorf("%v, %+v; alice has %q", err, held, w.Served("alice"))
	}
}

// TestPoliciesRevokeNothing: to revoke is to take away.
func TestPoliciesRevokeNothing(t *testing.T) {
	w := hourLater(t)
	w.Rules.Policy, w.Rules.Revoke = reconcile.UpsertOnly, []string{"alice"}
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	onlyEpoch(t, w, "alice", "alice#2")
}
