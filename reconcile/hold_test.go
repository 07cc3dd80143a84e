package reconcile

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestHold: with --hold, the steps that a guard or a conflict holds are skipped, and the rest is done.
func TestHold(t *testing.T) {
	tests := map[string]struct {
		after string
		world func(w *world)
		rules Rules
		want  []string
		again []string // held by the next run; default: the same
		check func(t *testing.T, w *world)
	}{
		"too many removals: nobody is removed, and others are served": {
			after: crew(9, 0, 1, 2),
			want: []string{
				"unbind user00: held", "unbind user01: held", "unbind user02: held",
				"update devs: held", "update devs: held", "update devs: held",
				"remove user00: held", "remove user01: held", "remove user02: held",
			},
			check: func(t *testing.T, w *world) {
				if got := w.subjects(groupView); len(got) != 9 || !slices.Contains(got, "user00") || !slices.Contains(got, "user08") {
					t.Errorf("subjects %q", got)
				}
				if w.users["user00"] == nil || w.users["user08"] == nil {
					t.Error("credentials")
				}
			},
		},
		"somebody protected stays, another leaver goes": {
			after: crew(8, 3, 4), rules: Rules{Protect: []string{"user03"}},
			want: []string{"unbind user03: held", "update devs: held", "remove user03: held"},
			check: func(t *testing.T, w *world) {
				if got := w.subjects(groupView); !slices.Contains(got, "user03") || slices.Contains(got, "user04") {
					t.Errorf("subjects %q", got)
				}
				if w.users["user03"] == nil || w.users["user04"] != nil {
					t.Error("credentials")
				}
			},
		},
		"a group that is gone from the file keeps its protected member only": {
			after: strings.ReplaceAll(strings.Replace(crew(8), "groups: [{name: devs, clusterRoles: [view]}]\n", "", 1), "groups: [devs], ", ""),
			rules: Rules{Protect: []string{"user03"}, MaxRemovals: limit(t, "100%")},
			want:  []string{"update devs: held", "reissue user03: held"},
			again: []string{"unbind devs: held", "reissue user03: held"},
			check: func(t *testing.T, w *world) {
				if diff := cmp.Diff([]string{"user03"}, w.subjects(groupView)); diff != "" {
					t.Error(diff)
				}
			},
		},
		"a planted secret": {
			after: crew(9, 0),
			world: func(w *world) { _, _ = w.put(w.users, "user08", kvVersion{}, 0) },
			want:  []string{"issue user08: held"},
			check: func(t *testing.T, w *world) {
				if w.users["user00"] != nil || w.users["user08"].current != 1 || w.bindings["ClusterRoleBinding certsync:test:user:user08:edit"].UID != "" {
					t.Error("the leaver stayed, or the planted secret was touched, or its user bound")
				}
			},
		},
		"a stripped label": {
			after: crew(9, 0),
			world: func(w *world) {
				b := w.bindings[groupView]
				b.Owner = ""
				w.bindings[groupView] = b
			},
			want:  []string{"bind devs: held", "remove user00: failed"},
			again: []string{"bind devs: held", "remove user00: held"},
			check: func(t *testing.T, w *world) {
				if rec := w.ledger["user00"].versions[w.ledger["user00"].current].record; rec.State != Removing {
					t.Errorf("the leaver, whom the binding serves, is %s", rec.State)
				}
				if w.users["user00"] != nil || w.users["user08"] == nil || len(w.subjects(groupView)) != 8 {
					t.Error("the leaver stayed, the newcomer got nothing, or the binding was touched")
				}
			},
		},
		"a ledger record that somebody else wrote": {
			after: crew(9, 0),
			world: func(w *world) {
				w.ledger["user01"].versions[1].record = w.ledger["user02"].versions[1].record
			},
			want: []string{"reissue user01: held"},
			check: func(t *testing.T, w *world) {
				if w.users["user00"] != nil || w.users["user08"] == nil || !slices.Contains(w.subjects(groupView), "user01") {
					t.Error("others were held up, or the user lost what they had")
				}
			},
		},
		"an inventory without users": {
			after: "users: []",
			want: func() []string {
				var all []string
				for _, u := range []string{"0", "1", "2", "3", "4", "5", "6", "7"} {
					all = append(all, "remove user0"+u+": held", "unbind user0"+u+": held")
				}
				return append(all, "unbind devs: held")
			}(),
			check: func(t *testing.T, w *world) {
				if len(w.users) != 8 || len(w.bindings) != 9 {
					t.Error("somebody lost something")
				}
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.mustApply(parse(t, crew(8)))
			if tt.world != nil {
				tt.world(w)
			}
			w.rules = tt.rules
			if diff := cmp.Diff(sortedSetOf(tt.want), sortedSetOf(w.holding(tt.after))); diff != "" {
				t.Error(diff)
			}
			tt.check(t, w)
			// The next run holds the same, and writes nothing more.
			if tt.again == nil {
				tt.again = tt.want
			}
			if diff := cmp.Diff(sortedSetOf(tt.again), sortedSetOf(w.holding(tt.after))); diff != "" || len(w.writes()) > 0 {
				t.Errorf("once more: %s, wrote %q", diff, w.writes())
			}
		})
	}
}

// TestHoldDoesNotLift: whatever makes the plan itself wrong refuses everything.
func TestHoldDoesNotLift(t *testing.T) {
	w := newWorld(t)
	w.mustApply(parse(t, crew(3)))
	w.hold = true
	for sentence, change := range map[string]func(){
		"drift":          func() { w.rules.Drift = true },
		"another state":  func() { w.state.ClusterUID = "cluster-0" },
		"an older state": func() { w.generation = 9 },
		"no state":       func() { w.state = nil },
		"the clock":      func() { w.skew = -5 * time.Minute },
	} {
		state, generation := *w.state, w.generation
		change()
		if got := w.refused(crew(4)); len(got) == 0 {
			t.Errorf("%s: not refused", sentence)
		}
		w.state, w.generation, w.rules, w.skew = &state, generation, Rules{}, 0
	}
}

// TestPolicy: what the policy does not allow is held, neither refuses the run nor fails it, and is done without it.
func TestPolicy(t *testing.T) {
	// user00 leaves, user01's certificate changes, user02 loses a role, user03 is new in a group, user08 is new.
	before := strings.Replace(crew(8), "user03, groups: [devs]", "user03, groups: []", 1)
	after := strings.NewReplacer("user01, groups: [devs]", "user01, groups: [devs, ops]", "devs, clusterRoles: [view]}]", "devs, clusterRoles: [view]}, {name: ops}]",
		"user02, groups: [devs], clusterRoles: [edit]", "user02, groups: [devs]").Replace(crew(9, 0))
	tests := map[Policy]struct{ done, held []string }{
		Sync: {done: []string{"issue user08", "reissue user01", "reissue user03", "bind user08", "unbind user00", "unbind user02", "update devs", "update devs", "remove user00"}},
		UpsertOnly: {
			done: []string{"issue user08", "reissue user01", "reissue user03", "bind user08", "update devs", "update devs"},
			held: []string{"unbind user00", "unbind user02", "update devs", "remove user00"},
		},
		CreateOnly: {
			done: []string{"issue user08", "bind user08"},
			held: []string{"reissue user01", "reissue user03", "unbind user00", "unbind user02", "update devs", "update devs", "update devs", "remove user00"},
		},
	}
	for policy, tt := range tests {
		t.Run(string(policy), func(t *testing.T) {
			w := newWorld(t)
			w.mustApply(parse(t, before))
			w.rules.Policy = policy
			o, err := w.apply(parse(t, after))
			if err != nil {
				t.Fatal(err)
			}
			var done, held []string
			for _, e := range o.Events {
				if what := string(e.Action) + " " + e.User + e.Group; e.Result == Done {
					done = append(done, what)
				} else {
					held = append(held, what)
				}
			}
			if diff := cmp.Diff(sortedSetOf(tt.done), sortedSetOf(done)); diff != "" {
				t.Errorf("done: %s", diff)
			}
			if diff := cmp.Diff(sortedSetOf(tt.held), sortedSetOf(held)); diff != "" || o.Failed() > 0 || o.HeldByPolicy() != len(held) {
				t.Errorf("held: %s, %d failed, %d by the policy", diff, o.Failed(), o.HeldByPolicy())
			}
			if policy != Sync && (!slices.Contains(w.subjects(groupView), "user00") || w.users["user00"] == nil) {
				t.Error("somebody lost something")
			}
			if w.mustPolicy(after); len(w.writes()) > 0 {
				t.Errorf("the next run wrote %q", w.writes())
			}
			w.rules.Policy = Sync
			w.mustApply(parse(t, after))
			if p := w.plan(parse(t, after)); p.Changes() {
				t.Errorf("left: %q", lines(p))
			}
		})
	}
}

// TestPolicyKeepsWhatIsThere: under a policy that takes nothing away, nothing is put in the place of what must stay.
func TestPolicyKeepsWhatIsThere(t *testing.T) {
	w := newWorld(t)
	w.mustApply(parse(t, crew(2)))
	b := w.bindings[groupView]
	b.RoleRef.Name = "admin"
	w.bindings[groupView] = b
	w.rules.Policy = UpsertOnly
	w.mustPolicy(crew(2))
	if diff := cmp.Diff(b, w.bindings[groupView]); diff != "" || len(w.writes()) > 0 {
		t.Errorf("%s, wrote %q", diff, w.writes())
	}
}
