package apply_test

import (
	"testing"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestForgedNumbers: whoever may write one record can write any number into it. Where the lock has the counter, a number above it
// counts for nothing. Where the lock does not tell, it counts, and moves the counter by no more than a hundred thousand.
func TestForgedNumbers(t *testing.T) {
	for sentence, c := range map[string]struct {
		forged  int64
		mark    reconcile.Mark
		alice   string
		counter int64
		bob     string // after the next revocation
	}{
		"the lock has the counter":                           {9, reconcile.Mark{Generation: 5, Epochs: 1}, "alice", 1, "bob#2"},
		"the lock does not tell":                             {9, reconcile.Mark{}, "alice#9", 9, "bob#10"},
		"the lock does not tell, and the number is too high": {1 << 40, reconcile.Mark{}, "alice#100001", 100001, "bob#100002"},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := hourLater(t)
			w.Ledger["alice"].Versions[w.Ledger["alice"].Current].Record.Certificates[0].Epoch = c.forged
			w.Mark, w.Rules = c.mark, reconcile.Rules{AcceptRollback: true}
			w.MustApply(reconciletest.Parse(t, reconciletest.Team))
			if got := w.Subjects("ClusterRoleBinding certsync:test:user:alice:admin"); len(got) != 1 || got[0] != c.alice || w.State.Epochs != c.counter {
				t.Errorf("the subjects are %q, and the counter is %d", got, w.State.Epochs)
			}
			w.Rules = reconcile.Rules{Revoke: []string{"bob"}}
			w.MustApply(reconciletest.Parse(t, reconciletest.Team))
			if w.Served(c.bob) == nil {
				t.Errorf("bob is in epoch %d", w.State.Names["bob"].Epoch)
			}
		})
	}
}

// TestForgedNumberIsGivenOnce: a number that a record made certsync give is not given again to the same user when the index is lost
// later, and the record does not tell any more.
func TestForgedNumberIsGivenOnce(t *testing.T) {
	inv := reconciletest.Parse(t, reconciletest.Team)
	w := hourLater(t)
	w.Ledger["alice"].Versions[w.Ledger["alice"].Current].Record.Certificates[0].Epoch = 9
	w.Mark, w.Rules = reconcile.Mark{}, reconcile.Rules{AcceptRollback: true, Revoke: []string{"alice"}}
	w.MustApply(inv)
	if w.Served("alice#10") == nil {
		t.Fatalf("names %+v", w.State.Names)
	}
	w.State, w.StateVersion, w.Rules = nil, 0, reconcile.Rules{NewLedger: true}
	delete(w.Ledger, "alice")
	delete(w.Users, "alice")
	w.MustApply(inv)
	if n := w.State.Names["alice"].Epoch; n <= 10 {
		t.Errorf("alice was in epoch 10, and is in %d", n)
	}
}
