package reconcile

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestGuards: each guard refuses, says what and how much, and names the flag that lifts it; with that it is done.
func TestGuards(t *testing.T) {
	const own = "groups: [{name: devs, clusterRoles: [view]}]\nusers:\n"
	tests := map[string]struct {
		before string // default: crew(8)
		after  string
		world  func(w *world)
		rules  Rules
		want   []string
		lift   Rules
	}{
		"a quarter of the users": {
			after: crew(8, 0, 1),
		},
		"more than a quarter of the users": {
			after: crew(8, 0, 1, 2),
			want:  []string{"would remove 3 of 8 users, more than 25% (--max-removals)"},
			lift:  Rules{MaxRemovals: limit(t, "3")},
		},
		"a number": {
			after: crew(8, 0, 1), rules: Rules{MaxRemovals: limit(t, "1")},
			want: []string{"would remove 2 of 8 users, more than 1 (--max-removals)"},
			lift: Rules{MaxRemovals: limit(t, "25%")},
		},
		"none at all": {
			after: crew(8, 0), rules: Rules{MaxRemovals: limit(t, "0")},
			want: []string{"would remove 1 of 8 users, more than 0 (--max-removals)"},
			lift: Rules{MaxRemovals: limit(t, "1")},
		},
		"the only user of two": {
			before: crew(2), after: crew(2, 0),
		},
		"bindings, while the users stay": {
			after: strings.ReplaceAll(crew(8), ", clusterRoles: [edit]", ""),
			want: []string{"would delete 8 of 9 bindings, more than 25% (--max-removals)",
				"would take 8 of 16 subjects out of their bindings, more than 25% (--max-removals)"},
			lift: Rules{MaxRemovals: limit(t, "90%")},
		},
		"everybody out of a group": {
			after: strings.ReplaceAll(crew(8), "groups: [devs], ", ""),
			want:  []string{"would take 8 of 16 subjects out of their bindings, more than 25% (--max-removals)"},
			lift:  Rules{MaxRemovals: limit(t, "50%")},
		},
		"roles replaced by others": {
			after: strings.ReplaceAll(crew(8), "[edit]", "[admin]"),
		},
		"one person who loses everything": {
			before: own + "  - {name: a, clusterRoles: [view, edit], namespaces: {staging: [admin]}}\n  - {name: b, clusterRoles: [view]}\n",
			after:  own + "  - {name: a}\n  - {name: b, clusterRoles: [view]}\n",
		},
		"ends by until": {
			after: crew(8) + "  - {name: zed, until: 2027-01-01}\n",
			world: func(w *world) {
				w.mustApply(parse(t, strings.ReplaceAll(crew(8), "[edit]}", "[edit], until: 2026-03-02}")))
				w.now = w.now.Add(48 * time.Hour)
			},
			rules: Rules{Reinstate: []string{"user00"}},
		},
		"a removal that was cut off": {
			after: crew(8, 0, 1, 2),
			world: func(w *world) {
				w.rules.MaxRemovals = limit(t, "50%")
				w.fail = failing("erase", errBoom)
				if _, err := w.apply(parse(t, crew(8, 0, 1, 2))); err != nil {
					t.Fatal(err)
				}
				w.fail = nil
			},
		},
		"an inventory without users": {
			after: "users: []",
			want:  []string{"the inventory has no users: everybody would lose access (--allow-empty)"},
			lift:  Rules{AllowEmpty: true},
		},
		"somebody who is protected": {
			after: crew(8, 3), rules: Rules{Protect: []string{"user03"}},
			want: []string{`would remove "user03", who is protected (--protect)`},
			lift: Rules{Protect: []string{"user04"}},
		},
		"somebody who is protected loses a role": {
			after: strings.Replace(crew(8), "user03, groups: [devs], clusterRoles: [edit]", "user03, groups: [devs]", 1),
			rules: Rules{Protect: []string{"user03"}},
			want:  []string{`would take ClusterRole "edit" cluster-wide from "user03", who is protected (--protect)`},
			lift:  Rules{},
		},
		"somebody who is protected leaves a group": {
			after: strings.Replace(crew(8), "user03, groups: [devs],", "user03,", 1), rules: Rules{Protect: []string{"user03"}},
			want: []string{`would take ClusterRole "view" cluster-wide from "user03", who is protected (--protect)`},
			lift: Rules{},
		},
		"somebody who is protected gets the same role otherwise": {
			after: strings.Replace(crew(8), "user03, groups: [devs], clusterRoles: [edit]", "user03, groups: [devs], clusterRoles: [edit, view]", 1),
			rules: Rules{Protect: []string{"user03"}},
		},
		"who runs it": {
			before: crew(3) + "  - {name: certsync, clusterRoles: [admin]}\n", after: crew(3),
			want: []string{`would remove "certsync", who runs this apply (have somebody else apply it; --protect does the same for others)`},
		},
		"another cluster": {
			after: crew(8), world: func(w *world) { w.state.ClusterUID = "cluster-0" },
			want: []string{"owner test belongs to another cluster (its kube-system has UID cluster-0, this one's cluster-1): every credential would be replaced (--move-to-this-cluster)"},
			lift: Rules{MoveToThisCluster: true},
		},
		"no state where there are bindings": {
			after: crew(8), world: func(w *world) {
				w.state, w.stateVersion, w.ledger, w.users, w.generation = nil, 0, map[string]*secret{}, map[string]*secret{}, 0
			},
			want: []string{"the cluster has 9 ClusterRoleBindings of owner test, and Vault has no state: is it the right Vault, mount and prefix? (--new-ledger)"},
			lift: Rules{NewLedger: true},
		},
		"no state where there was one": {
			before: "users: [{name: a}]", after: "users: [{name: a}]",
			world: func(w *world) {
				w.state, w.stateVersion, w.ledger, w.users = nil, 0, map[string]*secret{}, map[string]*secret{}
			},
			want: []string{"owner test has been applied to this cluster (generation 1), and Vault has no state: is it the right Vault, mount and prefix? (--new-ledger)"},
			lift: Rules{NewLedger: true},
		},
		"an older state": {
			after: crew(8), world: func(w *world) { w.generation = 7 },
			want: []string{"Vault's state is of generation 1, and the last run wrote 7: was Vault restored from a backup? (--accept-rollback)"},
			lift: Rules{AcceptRollback: true},
		},
		"another inventory under --drift": {
			after: crew(9), rules: Rules{Drift: true},
			want: []string{"this inventory is not the one that was applied last, and --drift corrects drift only (apply it without --drift)"},
			lift: Rules{},
		},
		"the same inventory under --drift": {
			after: crew(8), rules: Rules{Drift: true}, world: func(w *world) { delete(w.bindings, "ClusterRoleBinding certsync:test:group:devs:view") },
		},
		"a clock that is off": {
			after: crew(9), world: func(w *world) { w.skew = 3 * time.Minute },
			want: []string{"the clock here and the API server's are 3m0s apart, and ends and renewals hang on the time (set the clock)"},
		},
		"a clock that is a little off": {
			after: crew(9), world: func(w *world) { w.skew = -119 * time.Second },
		},
		"all at once": {
			after: crew(8, 0, 1, 2), world: func(w *world) { w.generation, w.state.ClusterUID = 7, "cluster-0" },
			rules: Rules{Protect: []string{"user01"}, Drift: true},
			want: []string{
				"owner test belongs to another cluster (its kube-system has UID cluster-0, this one's cluster-1): every credential would be replaced (--move-to-this-cluster)",
				"this inventory is not the one that was applied last, and --drift corrects drift only (apply it without --drift)",
				`would remove "user01", who is protected (--protect)`,
				"would remove 3 of 8 users, more than 25% (--max-removals)",
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if tt.before == "" {
				tt.before = crew(8)
			}
			w.mustApply(parse(t, tt.before))
			if tt.world != nil {
				tt.world(w)
			}
			w.rules = tt.rules
			if diff := cmp.Diff(tt.want, w.refused(tt.after)); diff != "" {
				t.Fatal(diff)
			}
			if tt.want == nil || isZero(tt.lift) && isZero(tt.rules) {
				return
			}
			w.rules = tt.lift
			if !isZero(tt.lift) {
				w.mustApply(parse(t, tt.after))
			}
		})
	}
}

func isZero(r Rules) bool { return cmp.Equal(r, Rules{}, cmp.AllowUnexported(Limit{})) }
