package removals_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
	"github.com/certsync/certsync/reconcile/removals"
)

// TestRevoke: who is revoked loses everything that certsync gave, in every epoch, given or not.
func TestRevoke(t *testing.T) {
	w := settled(t)
	put(w, groupView, users("alice#2", "bob", "alice")...)
	w.Rules.Revoke, w.Rules.MaxRemovals = []string{"alice"}, reconciletest.Limit(t, "0")
	p := planOf(t, w, reconciletest.Parse(t, reconciletest.Team))
	want := []string{
		"unbind alice ClusterRoleBinding user:alice:admin [revoked]",
		"update devs ClusterRoleBinding group:devs:view [revoked] -alice#2 -alice",
		"update devs RoleBinding staging/group:devs:edit [revoked] -alice",
	}
	if diff := cmp.Diff(want, sorted(reconciletest.Lines(p))); diff != "" || len(p.Refusals()) > 0 {
		t.Errorf("%s%q", diff, p.Refusals())
	}
	if diff := cmp.Diff(map[string]time.Time{"alice": w.Now}, p.Revoked); diff != "" {
		t.Error(diff)
	}
	w.Rules.Revoke, w.Revoked = nil, map[string]time.Time{"alice": w.Now.Add(-time.Hour)} // an earlier run has noted it, and was cut off
	p = planOf(t, w, reconciletest.Parse(t, reconciletest.Team))
	if diff := cmp.Diff(want, sorted(reconciletest.Lines(p))); diff != "" || p.Revoked != nil {
		t.Errorf("%s, at the lock %v", diff, p.Revoked)
	}
	w.Revoked = nil
	w.Rules.Revoke = []string{"bob"}
	for object := range w.Bindings { // somebody has taken them all by hand
		delete(w.Bindings, object)
	}
	if p = planOf(t, w, reconciletest.Parse(t, reconciletest.Team)); len(p.Steps) > 0 || !p.Changes() || p.Revoked["bob"].IsZero() {
		t.Errorf("%q, at the lock %v", reconciletest.Lines(p), p.Revoked)
	}
}

// TestRevocationIsTold: the plan has the line for the inventory, with a time that is not before what may have been issued.
func TestRevocationIsTold(t *testing.T) {
	w := settled(t)
	w.Rules.Revoke = []string{"alice", "mallory"}
	w.Skew = 300 * time.Millisecond
	p := planOf(t, w, reconciletest.Parse(t, reconciletest.Team))
	notes := map[string]string{}
	for _, n := range p.Notes {
		notes[string(n.Kind)+" "+n.User] = n.Message
	}
	if len(notes) != 3 || !strings.HasSuffix(notes["revoked-at-lock alice"], "revokedBefore: 2026-03-01T13:00:01Z") ||
		strings.Contains(notes["revoked-at-lock mallory"], "revokedBefore") || !strings.Contains(notes["vault-not-read "], "belongs to owner test") {
		t.Errorf("%+v", notes)
	}
}

// TestRoomAtTheLock: more revocations than the lock has room for are refused before anything is written.
func TestRoomAtTheLock(t *testing.T) {
	w := settled(t)
	for i := range reconcile.MaxRevoked + 1 {
		w.Rules.Revoke = append(w.Rules.Revoke, fmt.Sprintf("user%d", i))
	}
	if p := planOf(t, w, reconciletest.Parse(t, reconciletest.Team)); len(p.Forbidden) != 1 || !strings.Contains(p.Forbidden[0], "room for 100 users") {
		t.Errorf("%q", p.Forbidden)
	}
	w.Rules.Revoke = w.Rules.Revoke[1:]
	if p := planOf(t, w, reconciletest.Parse(t, reconciletest.Team)); len(p.Forbidden) > 0 || len(p.Revoked) != reconcile.MaxRevoked {
		t.Errorf("%q, %d", p.Forbidden, len(p.Revoked))
	}
}

// TestUnknownNames: a typing error is told. A user whom only a RoleBinding knows can be revoked, and not be protected: a tenant who
// deletes the binding would stop the job.
func TestUnknownNames(t *testing.T) {
	w := settled(t)
	w.Revoked = map[string]time.Time{"dave": w.Now}
	put(w, groupView, users("erin#4")...)
	put(w, groupEdit, users("frank#2")...)
	view, err := w.ObserveCluster(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	inv := reconciletest.Parse(t, reconciletest.Team)
	for _, name := range []string{"alice", "dave", "erin", "frank"} {
		if err := removals.Unknown(inv, view, reconcile.Rules{Revoke: []string{name}}); err != nil {
			t.Error(err)
		}
	}
	for want, r := range map[string]reconcile.Rules{
		`--revoke "allice": this name is neither in the inventory nor in the cluster`: {Revoke: []string{"alice", "allice"}},
		`--protect "frank": this name is neither in the inventory nor in the cluster`: {Protect: []string{"erin", "frank"}},
	} {
		if err := removals.Unknown(inv, view, r); err == nil || err.Error() != want {
			t.Error(err)
		}
	}
}

// TestDigest: what only removes is another plan than the same with Vault, and so is one that revokes somebody else. Time changes
// nothing in it.
func TestDigest(t *testing.T) {
	w := settled(t)
	inv := reconciletest.Parse(t, reconciletest.Team)
	delete(w.Bindings, aliceAdmin)
	digests := map[string]bool{}
	add := func(revoke ...string) {
		w.Rules.Revoke = revoke
		digests[planOf(t, w, inv).Digest()] = true
	}
	add()
	add("carol")
	delete(w.Bindings, carolEdit)
	add("carol")
	w.Now = w.Now.Add(time.Hour)
	add("carol")
	p := planOf(t, w, inv)
	p.RemovalsOnly = false
	digests[p.Digest()] = true
	if len(digests) != 4 {
		t.Errorf("%d digests", len(digests))
	}
}
