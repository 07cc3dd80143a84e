package apply_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile/reconciletest"
	"github.com/certsync/certsync/reconcile/revocation"
)

// TestRevokeAfterUntil: --revoke ends the certificates of a user whose `until` has passed. If it is extended, they stay void.
func TestRevokeAfterUntil(t *testing.T) {
	w := hourLater(t)
	w.Rules.MaxRemovals = reconciletest.Limit(t, "100%")
	lapsed := reconciletest.Parse(t, reconciletest.Team)
	bob := slices.IndexFunc(lapsed.Users, func(u inventory.User) bool { return u.Name == "bob" })
	lapsed.Users[bob].Until = w.Now.Add(-1)
	w.MustApply(lapsed)
	w.Rules.Revoke = []string{"bob"}
	w.MustApply(lapsed)
	if n := w.State.Names["bob"]; n.Epoch != 2 || !n.Ended {
		t.Errorf("bob is %+v", n)
	}
	w.Rules.Revoke = nil
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	if len(w.Served("bob")) > 0 || len(w.Served("bob#2")) == 0 {
		t.Errorf("bob has %q, bob#2 %q", w.Served("bob"), w.Served("bob#2"))
	}
}

// TestRevocationsOfAnOldState: a state from a backup does not know who was revoked since, so no list is made of it.
func TestRevocationsOfAnOldState(t *testing.T) {
	w := hourLater(t)
	old := *w.State
	w.Rules.Revoke = []string{"alice"}
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	r, err := revocation.Of("test", w.Observed())
	if err != nil || len(r.Entries) != 1 {
		t.Fatalf("%v, %v", r.Entries, err)
	}
	w.State = &old
	if _, err := revocation.Of("test", w.Observed()); err == nil || !strings.Contains(err.Error(), "was Vault restored from a backup?") {
		t.Errorf("%v", err)
	}
	w.State = nil
	if _, err := revocation.Of("test", w.Observed()); err == nil || !strings.Contains(err.Error(), "check that Vault, mount and prefix are right") {
		t.Errorf("%v", err)
	}
}

// TestRenameAfterARevocation: a rename lets nobody use a certificate that was revoked before.
func TestRenameAfterARevocation(t *testing.T) {
	w := hourLater(t)
	w.Rules.Revoke = []string{"alice"}
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	w.Rules.Revoke, w.Policy = nil, w.NewPolicy()
	w.Fail = reconciletest.Failing("issue alicia", reconciletest.ErrBoom)
	if _, err := w.Apply(reconciletest.Renamed(t)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"alice"}, listed(w)); diff != "" {
		t.Error(diff)
	}
}

// TestRenameIsNotDenied: the old name's certificate works until the new name has everything. Then the next run denies it.
func TestRenameIsNotDenied(t *testing.T) {
	w := hourLater(t)
	w.Policy = w.NewPolicy()
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	w.Fail = reconciletest.Failing("issue alicia", reconciletest.ErrBoom)
	if _, err := w.Apply(reconciletest.Renamed(t)); err != nil {
		t.Fatal(err)
	}
	if got := listed(w); len(got) > 0 {
		t.Errorf("denied before the new name has anything: %q", got)
	}
	w.Fail = nil
	w.MustApply(reconciletest.Renamed(t))
	w.MustApply(reconciletest.Renamed(t))
	if diff := cmp.Diff([]string{"alice"}, listed(w)); diff != "" {
		t.Error(diff)
	}
}
