package apply_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// These tests are about the numbers of epochs: none is given twice, and none falls, whatever is lost or written by others.

// TestRestoredStateBeginsEpochs: where it cannot be known who was revoked, everybody begins a new epoch, and no number is given
// twice.
func TestRestoredStateBeginsEpochs(t *testing.T) {
	for sentence, lose := range map[string]func(w *reconciletest.World, old reconcile.State){
		"restored": func(w *reconciletest.World, old reconcile.State) { w.State, w.Rules.AcceptRollback = &old, true },
		"lost": func(w *reconciletest.World, _ reconcile.State) {
			w.State, w.StateVersion, w.Rules.NewLedger = nil, 0, true
		},
		"restored, and the Lease is made anew": func(w *reconciletest.World, old reconcile.State) { w.State, w.Mark = &old, reconcile.Mark{} },
		"lost, and the Lease too": func(w *reconciletest.World, _ reconcile.State) {
			w.State, w.StateVersion, w.Rules.NewLedger, w.Mark, w.Unleased = nil, 0, true, reconcile.Mark{}, true
		},
		"the Lease is lost": func(w *reconciletest.World, _ reconcile.State) {
			w.Rules.AcceptRollback, w.Mark, w.Unleased = true, reconcile.Mark{}, true
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := hourLater(t)
			old := *w.State
			w.Rules.Revoke = []string{"alice"}
			w.MustApply(reconciletest.Parse(t, reconciletest.Team))
			w.Rules.Revoke = nil
			lose(w, old)
			w.MustApply(reconciletest.Parse(t, reconciletest.Team))
			got := w.Subjects(reconciletest.GroupView)
			if !slices.Equal(got, []string{"alice#3", "bob#4"}) || w.Served("carol#5") == nil || w.State.Epochs != 5 {
				t.Errorf("%q, carol#5 has %q, %d given", got, w.Served("carol#5"), w.State.Epochs)
			}
		})
	}
}

// TestLostRecordMayHaveACertificate: where the state is lost too, a record of which Vault has only metadata counts as a name under
// which a certificate may live, as an unreadable one does.
func TestLostRecordMayHaveACertificate(t *testing.T) {
	w := reconciletest.NewWorld(t)
	inv := reconciletest.Parse(t, reconciletest.Team)
	w.MustApply(inv)
	w.State, w.StateVersion, w.Rules.NewLedger = nil, 0, true
	w.Ledger["bob"].Versions[w.Ledger["bob"].Current].Deleted = true
	p := w.Plan(inv)
	if want := w.Now.Add(reconcile.LedgerRetention); !p.State.Names["bob"].Until.Equal(want) {
		t.Errorf("bob's certificates may live until %s, want %s", p.State.Names["bob"].Until, want)
	}
	if !slices.Contains(reconciletest.Lines(p), "reissue bob [ledger-missing] held") {
		t.Errorf("%q", reconciletest.Lines(p))
	}
}

// TestLedgerKeepsEpochs: where state and Lease are lost, and no ClusterRoleBinding tells, each record tells of its own user.
func TestLedgerKeepsEpochs(t *testing.T) {
	const text = "users: [{name: alice, namespaces: {staging: [edit]}}, {name: bob}]"
	for sentence, restore := range map[string]bool{"lost": false, "restored": true} {
		t.Run(sentence, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			w.MustApply(reconciletest.Parse(t, text))
			old := *w.State
			w.Now = w.Now.Add(time.Hour)
			w.Rules.Revoke = []string{"alice"}
			w.MustApply(reconciletest.Parse(t, text))
			w.Rules, w.State, w.Mark = reconcile.Rules{NewLedger: true}, nil, reconcile.Mark{}
			if restore {
				w.State = &old // of generation 1, which a run that was cut off leaves without a mark
			} else {
				w.StateVersion = 0
			}
			w.MustApply(reconciletest.Parse(t, text))
			if w.Served("alice") != nil || w.Served("alice#2") == nil || w.State.Names["alice"].Epoch != 2 || w.State.Names["bob"].Epoch > 1 {
				t.Errorf("alice has %q, alice#2 %q, names %+v", w.Served("alice"), w.Served("alice#2"), w.State.Names)
			}
		})
	}
}

// TestNoNumberOverflows: the largest number that somebody can write into a binding or a record lowers nobody's epoch.
func TestNoNumberOverflows(t *testing.T) {
	for sentence, write := range map[string]func(w *reconciletest.World){
		"into a binding": func(w *reconciletest.World) {
			w.Changed(reconciletest.GroupView, func(b *reconcile.Binding) {
				b.Subjects = append(b.Subjects, reconcile.UserSubject(reconcile.Username("zoe", math.MaxInt64)))
			})
		},
		"into a record": func(w *reconciletest.World) {
			w.Ledger["alice"].Versions[w.Ledger["alice"].Current].Record.Certificates[0].Epoch = math.MaxInt64
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := hourLater(t)
			write(w)
			w.Mark, w.Rules = reconcile.Mark{}, reconcile.Rules{AcceptRollback: true, Revoke: []string{"alice"}}
			w.MustApply(reconciletest.Parse(t, reconciletest.Team))
			if w.State.Names["alice"].Epoch < 2 || w.State.Epochs < 2 || w.Served("alice") != nil {
				t.Errorf("alice has %q, names %+v, %d given", w.Served("alice"), w.State.Names, w.State.Epochs)
			}
		})
	}
}

// TestRestoredStateBeginsEpochsOfTheAbsent: who is not in the inventory when the state is restored, or whose time has passed, comes
// back in a new epoch as well. Their certificates may have been revoked, and live longer than the state says.
func TestRestoredStateBeginsEpochsOfTheAbsent(t *testing.T) {
	for sentence, absent := range map[string]string{
		"left":   strings.Replace(reconciletest.Team, "  - {name: alice, groups: [devs], clusterRoles: [admin]}\n", "", 1),
		"lapsed": strings.Replace(reconciletest.Team, "{name: alice,", "{name: alice, until: 2026-01-31,", 1),
	} {
		t.Run(sentence, func(t *testing.T) {
			w := hourLater(t)
			old, ledger, users := *w.State, copied(w.Ledger), copied(w.Users)
			w.Now = w.Now.AddDate(0, 0, 5)
			w.MustApply(reconciletest.Parse(t, reconciletest.Team)) // renews what lives on
			w.Rules.Revoke = []string{"alice"}
			w.MustApply(reconciletest.Parse(t, reconciletest.Team))
			before := len(w.Issued)
			w.State, w.Ledger, w.Users, w.Rules = &old, ledger, users, reconcile.Rules{AcceptRollback: true, MaxRemovals: reconciletest.Limit(t, "100%")}
			w.MustApply(reconciletest.Parse(t, absent))
			w.Now, w.Rules = w.Now.AddDate(0, 0, 5), reconcile.Rules{}
			w.MustApply(reconciletest.Parse(t, reconciletest.Team))
			for _, cert := range w.Issued[:before] {
				if name := cert.Subject.CommonName; w.Served(name) != nil {
					t.Errorf("%s, which lives until %s, has %q", name, cert.NotAfter, w.Served(name))
				}
			}
		})
	}
}

// TestUnknownNamesBeginEpochs: where the index lacks names, since it was lost or is from before they came, a name that is new to it
// begins in a later epoch. A certificate of that name may have been revoked, and live.
func TestUnknownNamesBeginEpochs(t *testing.T) {
	const withZoe = reconciletest.Team + "  - {name: zoe, clusterRoles: [view]}\n"
	for sentence, lose := range map[string]func(w *reconciletest.World, old reconcile.State){
		"restored": func(w *reconciletest.World, old reconcile.State) { w.State, w.Rules.AcceptRollback = &old, true },
		"lost": func(w *reconciletest.World, _ reconcile.State) {
			w.State, w.StateVersion, w.Rules.NewLedger = nil, 0, true
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := hourLater(t)
			old := *w.State
			w.MustApply(reconciletest.Parse(t, withZoe))
			w.Rules.Revoke = []string{"zoe"}
			w.MustApply(reconciletest.Parse(t, withZoe))
			w.Rules = reconcile.Rules{MaxRemovals: reconciletest.Limit(t, "100%")}
			lose(w, old)
			delete(w.Ledger, "zoe")
			delete(w.Users, "zoe")
			w.MustApply(reconciletest.Parse(t, reconciletest.Team))
			w.Rules = reconcile.Rules{}
			for range 2 {
				w.MustApply(reconciletest.Parse(t, withZoe))
				if w.Served("zoe") != nil || w.Served("zoe#2") != nil || w.State.Names["zoe"].Epoch <= 2 {
					t.Errorf("zoe has %q, zoe#2 %q, names %+v", w.Served("zoe"), w.Served("zoe#2"), w.State.Names)
				}
			}
			w.Now = w.Now.Add(reconcile.LedgerRetention)
			w.MustApply(reconciletest.Parse(t, strings.ReplaceAll(withZoe, "zoe", "ann")))
			if w.Served("ann") == nil {
				t.Errorf("all certificates from before have ended, and ann is in epoch %d", w.State.Names["ann"].Epoch)
			}
		})
	}
}

// TestIndexThatWasLostDoesNotSayWhenEpochsBegan: where the index was lost, or restored from a backup, revokedBefore ends certificates
// from before it that the index does not know, also if they are older than the index.
func TestIndexThatWasLostDoesNotSayWhenEpochsBegan(t *testing.T) {
	const withZoe = reconciletest.Team + "  - {name: zoe, clusterRoles: [view]}\n"
	for sentence, lose := range map[string]func(w *reconciletest.World, old reconcile.State){
		"restored": func(w *reconciletest.World, old reconcile.State) { w.State, w.Rules.AcceptRollback = &old, true },
		"lost": func(w *reconciletest.World, _ reconcile.State) {
			w.State, w.StateVersion, w.Rules.NewLedger = nil, 0, true
		},
		"lost, and the record is unreadable": func(w *reconciletest.World, _ reconcile.State) {
			w.State, w.StateVersion, w.Rules = nil, 0, reconcile.Rules{NewLedger: true, Adopt: []string{"zoe"}}
			w.Write(w.Ledger, "zoe", reconciletest.KVVersion{Record: &reconcile.Record{User: "eve"}})
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := hourLater(t)
			old := *w.State
			w.MustApply(reconciletest.Parse(t, withZoe))
			w.Now = w.Now.Add(time.Hour)
			stolen := w.Now
			w.Now = w.Now.Add(time.Hour)
			delete(w.Ledger, "zoe")
			delete(w.Users, "zoe")
			lose(w, old)
			w.MustApply(reconciletest.Parse(t, withZoe))
			w.Rules = reconcile.Rules{}
			revoking := strings.Replace(withZoe, "{name: zoe,", "{name: zoe, revokedBefore: "+stolen.Format(time.RFC3339)+",", 1)
			for range 2 {
				w.MustApply(reconciletest.Parse(t, revoking))
				if w.Served("zoe") != nil || w.Served("zoe#2") == nil {
					t.Errorf("zoe has %q, zoe#2 %q", w.Served("zoe"), w.Served("zoe#2"))
				}
			}
		})
	}
}

// TestRestoredIndexEndsTooEarly: a certificate that was renewed after the backup lives longer than the index says. It is revoked all
// the same, and its user's name is free for nobody else.
func TestRestoredIndexEndsTooEarly(t *testing.T) {
	without := strings.Replace(reconciletest.Team, "  - {name: carol, namespaces: {payments: [edit]}}\n", "", 1)
	for sentence, texts := range map[string][]string{"revoked": {reconciletest.Team}, "left": {without, reconciletest.Team}} {
		t.Run(sentence, func(t *testing.T) {
			w := hourLater(t)
			old, ledger, users := *w.State, copied(w.Ledger), copied(w.Users)
			w.Now = w.Now.AddDate(0, 0, 6)
			w.MustApply(reconciletest.Parse(t, reconciletest.Team)) // renews
			w.Now = w.Now.AddDate(0, 0, 5)
			w.State, w.Ledger, w.Users = &old, ledger, users
			for _, text := range texts {
				w.Rules = reconcile.Rules{AcceptRollback: true, MaxRemovals: reconciletest.Limit(t, "100%")}
				if sentence == "revoked" {
					w.Rules.Revoke = []string{"carol"}
				}
				w.MustApply(reconciletest.Parse(t, text))
			}
			if w.Served("carol") != nil || w.Served("carol#2") == nil {
				t.Errorf("carol has %q, carol#2 %q", w.Served("carol"), w.Served("carol#2"))
			}
		})
	}
}

// TestGuardsKnowEpochsThatWereLost: who is protected, and in a later epoch of which the index does not know, keeps what
// ClusterRoleBindings of ours give them.
func TestGuardsKnowEpochsThatWereLost(t *testing.T) {
	w := hourLater(t)
	w.Rules.Revoke = []string{"alice"}
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	w.State, w.StateVersion, w.Ledger, w.Users = nil, 0, map[string]*reconciletest.Secret{}, map[string]*reconciletest.Secret{}
	w.Rules = reconcile.Rules{NewLedger: true, Protect: []string{"alice"}}
	w.Holding(strings.Replace(reconciletest.Team, "  - {name: alice, groups: [devs], clusterRoles: [admin]}\n", "", 1))
	if got := w.Served("alice#2"); !slices.Contains(got, reconciletest.GroupView) || !slices.Contains(got, "ClusterRoleBinding certsync:test:user:alice:admin") {
		t.Errorf("alice#2 has %q", got)
	}
}
