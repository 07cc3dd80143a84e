package plan_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestHold: with --hold, the steps that a guard or a conflict holds are skipped, and the rest is done.
func TestHold(t *testing.T) {
	tests := map[string]struct {
		after string
		world func(w *reconciletest.World)
		rules reconcile.Rules
		want  []string
		again []string // held by the next run; default: the same
		check func(t *testing.T, w *reconciletest.World)
	}{
		"too many removals: nobody is removed, and others are served": {
			after: reconciletest.Crew(9, 0, 1, 2),
			want: []string{
				"unbind user00: held", "unbind user01: held", "unbind user02: held",
				"update devs: held",
				"remove user00: held", "remove user01: held", "remove user02: held",
			},
			check: func(t *testing.T, w *reconciletest.World) {
				if got := w.Subjects(reconciletest.GroupView); len(got) != 9 || !slices.Contains(got, "user00") || !slices.Contains(got, "user08") {
					t.Errorf("subjects %q", got)
				}
				if w.Users["user00"] == nil || w.Users["user08"] == nil {
					t.Error("credentials")
				}
			},
		},
		"somebody protected stays, another leaver goes": {
			after: reconciletest.Crew(8, 3, 4), rules: reconcile.Rules{Protect: []string{"user03"}},
			want: []string{"unbind user03: held", "update devs: held", "remove user03: held"},
			check: func(t *testing.T, w *reconciletest.World) {
				if got := w.Subjects(reconciletest.GroupView); !slices.Contains(got, "user03") || slices.Contains(got, "user04") {
					t.Errorf("subjects %q", got)
				}
				if w.Users["user03"] == nil || w.Users["user04"] != nil {
					t.Error("credentials")
				}
			},
		},
		"a group that is gone from the file keeps its protected member only": {
			after: strings.ReplaceAll(strings.Replace(reconciletest.Crew(8), "groups: [{name: devs, clusterRoles: [view]}]\n", "", 1), "groups: [devs], ", ""),
			rules: reconcile.Rules{Protect: []string{"user03"}, MaxRemovals: reconciletest.Limit(t, "100%")},
			want:  []string{"update devs: held", "reissue user03: held"},
			again: []string{"unbind devs: held", "reissue user03: held"},
			check: func(t *testing.T, w *reconciletest.World) {
				if diff := cmp.Diff([]string{"user03"}, w.Subjects(reconciletest.GroupView)); diff != "" {
					t.Error(diff)
				}
			},
		},
		"a planted secret": {
			after: reconciletest.Crew(9, 0),
			world: func(w *reconciletest.World) { _, _ = w.Put(w.Users, "user08", reconciletest.KVVersion{}, 0) },
			want:  []string{"issue user08: held"},
			check: func(t *testing.T, w *reconciletest.World) {
				if w.Users["user00"] != nil || w.Users["user08"].Current != 1 || w.Bindings["ClusterRoleBinding certsync:test:user:user08:edit"].UID != "" {
					t.Error("the leaver stayed, or the planted secret was touched, or its user bound")
				}
			},
		},
		"a stripped label": {
			after: reconciletest.Crew(9, 0),
			world: func(w *reconciletest.World) {
				b := w.Bindings[reconciletest.GroupView]
				b.Owner = ""
				w.Bindings[reconciletest.GroupView] = b
			},
			check: func(t *testing.T, w *reconciletest.World) {
				if rec := w.Ledger["user00"].Versions[w.Ledger["user00"].Current].Record; rec.State != reconcile.Removed {
					t.Errorf("the leaver is %s", rec.State)
				}
				if b := w.Bindings[reconciletest.GroupView]; w.Users["user00"] != nil || w.Users["user08"] == nil || !b.Labelled("test") || slices.Contains(w.Subjects(reconciletest.GroupView), "user00") {
					t.Errorf("the leaver stayed, the newcomer got nothing, or the labels are not back: %+v", b)
				}
			},
		},
		"a ledger record that somebody else wrote": {
			after: reconciletest.Crew(9, 0),
			world: func(w *reconciletest.World) {
				w.Ledger["user01"].Versions[1].Record = w.Ledger["user02"].Versions[1].Record
			},
			want: []string{"reissue user01: held"},
			check: func(t *testing.T, w *reconciletest.World) {
				if w.Users["user00"] != nil || w.Users["user08"] == nil || !slices.Contains(w.Subjects(reconciletest.GroupView), "user01") {
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
			check: func(t *testing.T, w *reconciletest.World) {
				if len(w.Users) != 8 || len(w.Bindings) != 9 {
					t.Error("somebody lost something")
				}
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			w.MustApply(reconciletest.Parse(t, reconciletest.Crew(8)))
			if tt.world != nil {
				tt.world(w)
			}
			w.Rules = tt.rules
			if diff := cmp.Diff(reconciletest.SortedSetOf(tt.want), reconciletest.SortedSetOf(w.Holding(tt.after))); diff != "" {
				t.Error(diff)
			}
			tt.check(t, w)
			// The next run holds the same, and writes nothing more.
			if tt.again == nil {
				tt.again = tt.want
			}
			if diff := cmp.Diff(reconciletest.SortedSetOf(tt.again), reconciletest.SortedSetOf(w.Holding(tt.after))); diff != "" || len(w.Writes()) > 0 {
				t.Errorf("once more: %s, wrote %q", diff, w.Writes())
			}
		})
	}
}

// TestHoldDoesNotLift: whatever makes the plan itself wrong refuses everything.
func TestHoldDoesNotLift(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Crew(3)))
	w.Hold = true
	for sentence, change := range map[string]func(){
		"drift":          func() { w.Rules.Drift = true },
		"another state":  func() { w.State.ClusterUID = "cluster-0" },
		"an older state": func() { w.Generation = 9 },
		"no state":       func() { w.State = nil },
		"the clock":      func() { w.Skew = -5 * time.Minute },
	} {
		state, generation := *w.State, w.Generation
		change()
		if got := w.Refused(reconciletest.Crew(4)); len(got) == 0 {
			t.Errorf("%s: not refused", sentence)
		}
		w.State, w.Generation, w.Rules, w.Skew = &state, generation, reconcile.Rules{}, 0
	}
}

// TestPolicy: what the policy does not allow is held, neither refuses the run nor fails it, and is done without it.
func TestPolicy(t *testing.T) {
	// user00 leaves, user01's certificate changes, user02 loses a role, user03 is new in a group, user08 is new.
	before := strings.Replace(reconciletest.Crew(8), "user03, groups: [devs]", "user03, groups: []", 1)
	after := strings.NewReplacer("user01, groups: [devs]", "user01, groups: [devs, ops]", "devs, clusterRoles: [view]}]", "devs, clusterRoles: [view]}, {name: ops}]",
		"user02, groups: [devs], clusterRoles: [edit]", "user02, groups: [devs]").Replace(reconciletest.Crew(9, 0))
	tests := map[reconcile.Policy]struct{ done, held []string }{
		reconcile.Sync: {done: []string{"issue user08", "reissue user01", "reissue user03", "bind user08", "unbind user00", "unbind user02", "update devs", "update devs", "remove user00"}},
		reconcile.UpsertOnly: {
			done: []string{"issue user08", "reissue user01", "reissue user03", "bind user08", "update devs", "update devs"},
			held: []string{"unbind user00", "unbind user02", "update devs", "remove user00"},
		},
		reconcile.CreateOnly: {
			done: []string{"issue user08", "bind user08"},
			held: []string{"reissue user01", "reissue user03", "unbind user00", "unbind user02", "update devs", "update devs", "remove user00"},
		},
	}
	for policy, tt := range tests {
		t.Run(string(policy), func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			w.MustApply(reconciletest.Parse(t, before))
			w.Rules.Policy = policy
			o, err := w.Apply(reconciletest.Parse(t, after))
			if err != nil {
				t.Fatal(err)
			}
			var done, held []string
			for _, e := range o.Events {
				if what := string(e.Action) + " " + e.User + e.Group; e.Result == reconcile.Done {
					done = append(done, what)
				} else {
					held = append(held, what)
				}
			}
			if diff := cmp.Diff(reconciletest.SortedSetOf(tt.done), reconciletest.SortedSetOf(done)); diff != "" {
				t.Errorf("done: %s", diff)
			}
			if diff := cmp.Diff(reconciletest.SortedSetOf(tt.held), reconciletest.SortedSetOf(held)); diff != "" || o.Failed() > 0 || o.HeldByPolicy() != len(held) {
				t.Errorf("held: %s, %d failed, %d by the policy", diff, o.Failed(), o.HeldByPolicy())
			}
			if policy != reconcile.Sync && (!slices.Contains(w.Subjects(reconciletest.GroupView), "user00") || w.Users["user00"] == nil) {
				t.Error("somebody lost something")
			}
			if w.MustPolicy(after); len(w.Writes()) > 0 {
				t.Errorf("the next run wrote %q", w.Writes())
			}
			w.Rules.Policy = reconcile.Sync
			w.MustApply(reconciletest.Parse(t, after))
			if p := w.Plan(reconciletest.Parse(t, after)); p.Changes() {
				t.Errorf("left: %q", reconciletest.Lines(p))
			}
		})
	}
}

// TestPolicyKeepsWhatIsThere: under a policy that takes nothing away, nothing is put in the place of what must stay.
func TestPolicyKeepsWhatIsThere(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Crew(2)))
	b := w.Bindings[reconciletest.GroupView]
	b.RoleRef.Name = "admin"
	w.Bindings[reconciletest.GroupView] = b
	w.Rules.Policy = reconcile.UpsertOnly
	w.MustPolicy(reconciletest.Crew(2))
	if diff := cmp.Diff(b, w.Bindings[reconciletest.GroupView]); diff != "" || len(w.Writes()) > 0 {
		t.Errorf("%s, wrote %q", diff, w.Writes())
	}
}
