package apply_test

import (
	"strings"
	"testing"
	"time"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// These tests are about the time since which a name is in its epoch: a certificate from before revokedBefore is void, whatever certsync
// has forgotten of it.

const zoe = "  - {name: zoe, clusterRoles: [view]}\n"

// zoeRevoked is the team with zoe, whose certificates from before a time are void.
func zoeRevoked(before time.Time) string {
	return reconciletest.Team + strings.Replace(zoe, "zoe,", "zoe, revokedBefore: "+before.Format(time.RFC3339)+",", 1)
}

// onlyLater: zoe's first name has nothing.
func onlyLater(t *testing.T, w *reconciletest.World) {
	t.Helper()
	if w.Served("zoe") != nil || w.Served("zoe#2") == nil {
		t.Errorf("zoe has %q, zoe#2 %q, names %+v", w.Served("zoe"), w.Served("zoe#2"), w.State.Names)
	}
}

// TestRemovalDoesNotBeginAnEpoch: where only the ledger knows somebody, the time in their record is that of their removal. Their
// certificates are older.
func TestRemovalDoesNotBeginAnEpoch(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team+zoe))
	w.Now = w.Now.Add(time.Hour)
	stolen := w.Now
	w.Now = w.Now.Add(time.Hour)
	lapsed := strings.Replace(zoe, "zoe,", "zoe, until: "+stolen.Format(time.RFC3339)+",", 1)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team+lapsed))
	w.State, w.StateVersion, w.Rules.NewLedger = nil, 0, true
	w.MustApply(reconciletest.Parse(t, zoeRevoked(stolen)))
	onlyLater(t, w)
}

// TestLostIndexLacksNames: somebody who was absent when the index was lost comes back later. Their new certificate does not say that
// no older one lives.
func TestLostIndexLacksNames(t *testing.T) {
	for sentence, lose := range map[string]func(w *reconciletest.World, old reconcile.State){
		"restored": func(w *reconciletest.World, old reconcile.State) { w.State, w.Rules.AcceptRollback = &old, true },
		"lost": func(w *reconciletest.World, _ reconcile.State) {
			w.State, w.StateVersion, w.Rules.NewLedger = nil, 0, true
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := hourLater(t)
			old, all := *w.State, reconciletest.Parse(t, reconciletest.Team+zoe)
			w.MustApply(all)
			w.Now = w.Now.Add(time.Hour)
			stolen := w.Now
			w.Now = w.Now.Add(time.Hour)
			delete(w.Ledger, "zoe")
			delete(w.Users, "zoe")
			lose(w, old)
			w.Rules.MaxRemovals = reconciletest.Limit(t, "100%")
			w.MustApply(reconciletest.Parse(t, reconciletest.Team))
			w.Rules = reconcile.Rules{}
			w.MustApply(all)
			w.MustApply(reconciletest.Parse(t, zoeRevoked(stolen)))
			onlyLater(t, w)
			w.Now = w.Now.Add(reconcile.LedgerRetention)
			w.MustApply(reconciletest.Parse(t, strings.ReplaceAll(reconciletest.Team+zoe, "zoe", "ann")))
			if w.State.Names["ann"].Since.IsZero() {
				t.Error("all certificates from before have ended, and ann's epoch has no beginning")
			}
		})
	}
}

// TestProtectedAgainstMovingIn: a guard keeps somebody new in the first epoch, so that certificates that were made by hand stay good.
// Without the guard they are void.
func TestProtectedAgainstMovingIn(t *testing.T) {
	w := hourLater(t)
	text := zoeRevoked(w.Now.Add(-time.Minute))
	w.Rules.Protect = []string{"zoe"}
	w.Holding(text)
	w.Rules = reconcile.Rules{}
	w.MustApply(reconciletest.Parse(t, text))
	onlyLater(t, w)
}
