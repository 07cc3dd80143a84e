package reconcile

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAdopt: what is not certsync's is taken over one by one, as it was looked at.
func TestAdopt(t *testing.T) {
	const admin = "ClusterRoleBinding certsync:test:user:alice:admin"
	strip := func(change func(*Binding)) func(w *world) {
		return func(w *world) {
			b := w.bindings[admin]
			b.Owner, b.ManagedBy, b.ResourceVersion = "", "", w.next()
			change(&b)
			w.bindings[admin] = b
		}
	}
	tests := map[string]struct {
		world  func(w *world)
		adopt  string
		want   []string
		writes []string // beside the state's and those of certificates
	}{
		"a binding without its labels": {
			world: strip(func(*Binding) {}), adopt: "ClusterRoleBinding/certsync:test:user:alice:admin",
			want:   []string{"update alice ClusterRoleBinding user:alice:admin [adopted]"},
			writes: []string{"adopt " + admin},
		},
		"a binding for somebody else": {
			world: strip(func(b *Binding) { b.Subjects = []Subject{UserSubject("eve")} }), adopt: "ClusterRoleBinding/certsync:test:user:alice:admin",
			want:   []string{"update alice ClusterRoleBinding user:alice:admin [adopted] +alice -eve"},
			writes: []string{"adopt " + admin, "update " + admin + "[alice]"},
		},
		"a binding to another role": {
			world: strip(func(b *Binding) { b.RoleRef.Name = "cluster-admin" }), adopt: "ClusterRoleBinding/certsync:test:user:alice:admin",
			want: []string{"unbind alice ClusterRoleBinding user:alice:admin [drifted]", "bind alice ClusterRoleBinding user:alice:admin [drifted]"},
		},
		"a binding in a namespace": {
			world: func(w *world) {
				b := w.bindings["RoleBinding payments/certsync:test:user:carol:edit"]
				b.Owner = ""
				w.bindings[b.Object()] = b
			},
			adopt: "RoleBinding/payments/certsync:test:user:carol:edit",
			want:  []string{"update carol RoleBinding payments/user:carol:edit [adopted]"},
		},
		"a secret that somebody wrote": {
			world: func(w *world) { _, _ = w.put(w.users, "bob", kvVersion{}, 1) }, adopt: "users/bob",
			want: []string{"reissue bob [foreign-credential]"},
		},
		"a record that is none": {
			world: func(w *world) { w.ledger["bob"].versions[1].record = w.ledger["carol"].versions[1].record }, adopt: "users/bob",
			want: []string{"reissue bob [ledger-unreadable]"},
		},
		"a secret of nobody": {
			world: func(w *world) { _, _ = w.put(w.users, "zoe", kvVersion{}, 0) }, adopt: "users/zoe",
			want: []string{"remove zoe [foreign-credential not-in-inventory]"},
		},
		"a record of nobody that is none": {
			world: func(w *world) { _, _ = w.put(w.ledger, "zoe", kvVersion{record: &Record{User: "eve"}}, 0) }, adopt: "users/zoe",
			want: []string{"remove zoe [ledger-unreadable not-in-inventory]"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.mustApply(parse(t, team))
			tt.world(w)
			if got := w.conflicts(team); len(got) != 1 || !strings.Contains(got[0], "--adopt "+tt.adopt+")") {
				t.Errorf("held: %q", got)
			}
			w.rules.Adopt = []string{tt.adopt}
			if diff := cmp.Diff(tt.want, lines(w.plan(parse(t, team)))); diff != "" {
				t.Error(diff)
			}
			w.mustApply(parse(t, team))
			if tt.writes != nil {
				if diff := cmp.Diff(append([]string{"write state"}, tt.writes...), w.writes()); diff != "" {
					t.Error(diff)
				}
			}
			w.rules.Adopt = nil
			for user, s := range w.users {
				for n, v := range s.versions {
					if n != s.current && !v.destroyed {
						t.Errorf("version %d of users/%s is still there", n, user)
					}
				}
			}
			if p := w.plan(parse(t, team)); p.Changes() {
				t.Errorf("left: %q", lines(p))
			}
		})
	}
	w := newWorld(t)
	w.rules.Adopt = []string{"ClusterRoleBinding/nothing"}
	if _, err := w.apply(parse(t, team)); err == nil || err.Error() != `--adopt "ClusterRoleBinding/nothing": neither inventory, ledger nor cluster knows that name` {
		t.Errorf("a name that stands nowhere: %v", err)
	}
}

// TestAdoptWhatWasLookedAt: a binding that changed between the plan and the write is not adopted.
func TestAdoptWhatWasLookedAt(t *testing.T) {
	w := newWorld(t)
	w.mustApply(parse(t, team))
	b := w.bindings[groupView]
	b.Owner = ""
	w.bindings[groupView] = b
	w.rules.Adopt = []string{b.adoptName()}
	w.fail = func(call string) error {
		if call == "write state" {
			b.ResourceVersion, b.Subjects = w.next(), append(b.Subjects, UserSubject("eve"))
			w.bindings[groupView] = b
		}
		return nil
	}
	if o, err := w.apply(parse(t, team)); err != nil || o.Failed() != 1 {
		t.Errorf("%v, %q", err, results(o))
	}
	if w.bindings[groupView].Owner != "" {
		t.Error("it was adopted")
	}
}
