package apply_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestAdopt: what is not certsync's is taken over one by one, as it was looked at.
func TestAdopt(t *testing.T) {
	const admin = "ClusterRoleBinding certsync:test:user:alice:admin"
	strip := func(change func(*reconcile.Binding)) func(w *reconciletest.World) {
		return func(w *reconciletest.World) {
			b := w.Bindings[admin]
			b.Owner, b.ManagedBy, b.ResourceVersion = "", "", w.Next()
			change(&b)
			w.Bindings[admin] = b
		}
	}
	tests := map[string]struct {
		world  func(w *reconciletest.World)
		adopt  string
		want   []string
		writes []string // beside the state's and those of certificates
	}{
		"a binding without its labels": {
			world: strip(func(*reconcile.Binding) {}), adopt: "ClusterRoleBinding/certsync:test:user:alice:admin",
			want:   []string{"update alice ClusterRoleBinding user:alice:admin [adopted]"},
			writes: []string{"adopt " + admin},
		},
		"a binding for somebody else": {
			world: strip(func(b *reconcile.Binding) { b.Subjects = []reconcile.Subject{reconcile.UserSubject("eve")} }), adopt: "ClusterRoleBinding/certsync:test:user:alice:admin",
			want:   []string{"update alice ClusterRoleBinding user:alice:admin [adopted] +alice -eve"},
			writes: []string{"adopt " + admin, "update " + admin + "[alice]"},
		},
		"a binding to another role": {
			world: strip(func(b *reconcile.Binding) { b.RoleRef.Name = "cluster-admin" }), adopt: "ClusterRoleBinding/certsync:test:user:alice:admin",
			want: []string{"unbind alice ClusterRoleBinding user:alice:admin [drifted]", "bind alice ClusterRoleBinding user:alice:admin [drifted]"},
		},
		"a binding in a namespace": {
			world: func(w *reconciletest.World) {
				b := w.Bindings["RoleBinding payments/certsync:test:user:carol:edit"]
				b.Owner = ""
				w.Bindings[b.Object()] = b
			},
			adopt: "RoleBinding/payments/certsync:test:user:carol:edit",
			want:  []string{"update carol RoleBinding payments/user:carol:edit [adopted]"},
		},
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
			w.Rules.Adopt = []string{tt.adopt}
			if diff := cmp.Diff(tt.want, reconciletest.Lines(w.Plan(reconciletest.Parse(t, reconciletest.Team)))); diff != "" {
				t.Error(diff)
			}
			w.MustApply(reconciletest.Parse(t, reconciletest.Team))
			if tt.writes != nil {
				if diff := cmp.Diff(append([]string{"write state"}, tt.writes...), w.Writes()); diff != "" {
					t.Error(diff)
				}
			}
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
	w.Rules.Adopt = []string{"ClusterRoleBinding/nothing"}
	if _, err := w.Apply(reconciletest.Parse(t, reconciletest.Team)); err == nil || err.Error() != `--adopt "ClusterRoleBinding/nothing": neither inventory, ledger nor cluster knows that name` {
		t.Errorf("a name that stands nowhere: %v", err)
	}
}

// TestAdoptWhatWasLookedAt: a binding that changed between the plan and the write is not adopted.
func TestAdoptWhatWasLookedAt(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	b := w.Bindings[reconciletest.GroupView]
	b.Owner = ""
	w.Bindings[reconciletest.GroupView] = b
	w.Rules.Adopt = []string{b.AdoptName()}
	w.Fail = func(call string) error {
		if call == "write state" {
			b.ResourceVersion, b.Subjects = w.Next(), append(b.Subjects, reconcile.UserSubject("eve"))
			w.Bindings[reconciletest.GroupView] = b
		}
		return nil
	}
	if o, err := w.Apply(reconciletest.Parse(t, reconciletest.Team)); err != nil || o.Failed() != 1 {
		t.Errorf("%v, %q", err, reconciletest.Results(o))
	}
	if w.Bindings[reconciletest.GroupView].Owner != "" {
		t.Error("it was adopted")
	}
}
