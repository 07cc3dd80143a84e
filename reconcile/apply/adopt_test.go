package apply_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestAdopt: what stands in Vault and is not certsync's is taken over one by one.
func TestAdopt(t *testing.T) {
	tests := map[string]struct {
		world func(w *reconciletest.World)
		adopt string
		want  []string
	}{
		"a secret that somebody wrote": {
			world: func(w *reconciletest.World) { _, _ = w.Put(w.Users, "bob", reconciletest.KVVersion{}, 1) }, adopt: "users/bob",
			want: []string{"reissue bob [foreign-credential]"},
		},
		"a record that is none": {
			world: func(w *reconciletest.World) {
				w.Ledger["bob"].Versions[1].Record = w.Ledger["carol"].Versions[1].Record
			}, adopt: "users/bob",
			want: []string{"reissue bob [ledger-unreadable]"},
		},
		"a secret of nobody": {
			world: func(w *reconciletest.World) { _, _ = w.Put(w.Users, "zoe", reconciletest.KVVersion{}, 0) }, adopt: "users/zoe",
			want: []string{"remove zoe [foreign-credential not-in-inventory]"},
		},
		"a record of nobody that is none": {
			world: func(w *reconciletest.World) {
				_, _ = w.Put(w.Ledger, "zoe", reconciletest.KVVersion{Record: &reconcile.Record{User: "eve"}}, 0)
			}, adopt: "users/zoe",
			want: []string{"remove zoe [ledger-unreadable not-in-inventory]"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			w.MustApply(reconciletest.Parse(t, reconciletest.Team))
			tt.world(w)
			if got := w.Conflicts(reconciletest.Team); len(got) != 1 || !strings.Contains(got[0], "--adopt "+tt.adopt+")") {
				t.Errorf("held: %q", got)
			}
			w.Rules.Adopt = []string{strings.TrimPrefix(tt.adopt, "users/")}
			if diff := cmp.Diff(tt.want, reconciletest.Lines(w.Plan(reconciletest.Parse(t, reconciletest.Team)))); diff != "" {
				t.Error(diff)
			}
			w.MustApply(reconciletest.Parse(t, reconciletest.Team))
			w.Rules.Adopt = nil
			for user, s := range w.Users {
				for n, v := range s.Versions {
					if n != s.Current && !v.Destroyed {
						t.Errorf("version %d of users/%s is still there", n, user)
					}
				}
			}
			if p := w.Plan(reconciletest.Parse(t, reconciletest.Team)); p.Changes() {
				t.Errorf("left: %q", reconciletest.Lines(p))
			}
		})
	}
	w := reconciletest.NewWorld(t)
	w.Rules.Adopt = []string{"nobody"}
	if _, err := w.Apply(reconciletest.Parse(t, reconciletest.Team)); err == nil || err.Error() != `--adopt "nobody": this name is neither in the inventory, the ledger nor the cluster` {
		t.Errorf("a name that stands nowhere: %v", err)
	}
}
