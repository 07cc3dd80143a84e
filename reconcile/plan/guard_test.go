package plan_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestGuards: each guard refuses, says what and how much, and names the flag that lifts it; with that it is done.
func TestGuards(t *testing.T) {
	const own = "groups: [{name: devs, clusterRoles: [view]}]\nusers:\n"
	tests := map[string]struct {
		before string // default: crew(8)
		after  string
		world  func(w *reconciletest.World)
		rules  reconcile.Rules
		want   []string
		lift   reconcile.Rules
	}{
		"a quarter of the users": {
			after: reconciletest.Crew(8, 0, 1),
		},
		"more than a quarter of the users": {
			after: reconciletest.Crew(8, 0, 1, 2),
			want:  []string{"would remove 3 of 8 users, more than 25% (--max-removals)"},
			lift:  reconcile.Rules{MaxRemovals: reconciletest.Limit(t, "3")},
		},
		"a number": {
			after: reconciletest.Crew(8, 0, 1), rules: reconcile.Rules{MaxRemovals: reconciletest.Limit(t, "1")},
			want: []string{"would remove 2 of 8 users, more than 1 (--max-removals)"},
			lift: reconcile.Rules{MaxRemovals: reconciletest.Limit(t, "25%")},
		},
		"none at all": {
			after: reconciletest.Crew(8, 0), rules: reconcile.Rules{MaxRemovals: reconciletest.Limit(t, "0")},
			want: []string{"would remove 1 of 8 users, more than 0 (--max-removals)"},
			lift: reconcile.Rules{MaxRemovals: reconciletest.Limit(t, "1")},
		},
		"the only user of two": {
			before: reconciletest.Crew(2), after: reconciletest.Crew(2, 0),
		},
		"bindings, while the users stay": {
			after: strings.ReplaceAll(reconciletest.Crew(8), ", clusterRoles: [edit]", ""),
			want: []string{"would delete 8 of 9 bindings, more than 25% (--max-removals)",
				"would take 8 of 16 subjects out of their bindings, more than 25% (--max-removals)"},
			lift: reconcile.Rules{MaxRemovals: reconciletest.Limit(t, "90%")},
		},
		"everybody out of a group": {
			after: strings.ReplaceAll(reconciletest.Crew(8), "groups: [devs], ", ""),
			want:  []string{"would take 8 of 16 subjects out of their bindings, more than 25% (--max-removals)"},
			lift:  reconcile.Rules{MaxRemovals: reconciletest.Limit(t, "50%")},
		},
		"roles replaced by others": {
			after: strings.ReplaceAll(reconciletest.Crew(8), "[edit]", "[admin]"),
		},
		"one person who loses everything": {
			before: own + "  - {name: a, clusterRoles: [view, edit], namespaces: {staging: [admin]}}\n  - {name: b, clusterRoles: [view]}\n",
			after:  own + "  - {name: a}\n  - {name: b, clusterRoles: [view]}\n",
		},
		"ends in the past": {
			after: strings.ReplaceAll(reconciletest.Crew(8), "[edit]}", "[edit], until: 2025-03-02}"),
			want:  []string{"would remove 8 of 8 users, more than 25% (--max-removals)"},
			lift:  reconcile.Rules{MaxRemovals: reconciletest.Limit(t, "100%")},
		},
		"ends of roles in the past": {
			after: strings.ReplaceAll(reconciletest.Crew(8), "[edit]", "[{name: edit, until: 2025-03-02}]"),
			want: []string{"would delete 8 of 9 bindings, more than 25% (--max-removals)",
				"would take 8 of 16 subjects out of their bindings, more than 25% (--max-removals)"},
			lift: reconcile.Rules{MaxRemovals: reconciletest.Limit(t, "100%")},
		},
		"ends by until": {
			after: reconciletest.Crew(8) + "  - {name: zed, until: 2027-01-01}\n",
			world: func(w *reconciletest.World) {
				w.MustApply(reconciletest.Parse(t, strings.ReplaceAll(reconciletest.Crew(8), "[edit]}", "[edit], until: 2026-03-02}")))
				w.Now = w.Now.Add(48 * time.Hour)
			},
		},
		"a removal that was cut off": {
			after: reconciletest.Crew(8, 0, 1, 2),
			world: func(w *reconciletest.World) {
				w.Rules.MaxRemovals = reconciletest.Limit(t, "50%")
				w.Fail = reconciletest.Failing("erase", reconciletest.ErrBoom)
				if _, err := w.Apply(reconciletest.Parse(t, reconciletest.Crew(8, 0, 1, 2))); err != nil {
					t.Fatal(err)
				}
				w.Fail = nil
			},
		},
		"an inventory without users": {
			after: "users: []",
			want:  []string{"the inventory has no users: everybody would lose access (--allow-empty)"},
			lift:  reconcile.Rules{AllowEmpty: true},
		},
		"somebody who is protected": {
			after: reconciletest.Crew(8, 3), rules: reconcile.Rules{Protect: []string{"user03"}},
			want: []string{`would remove "user03", a protected user (--protect)`},
			lift: reconcile.Rules{Protect: []string{"user04"}},
		},
		"somebody who is protected loses a role": {
			after: strings.Replace(reconciletest.Crew(8), "user03, groups: [devs], clusterRoles: [edit]", "user03, groups: [devs]", 1),
			rules: reconcile.Rules{Protect: []string{"user03"}},
			want:  []string{`would take ClusterRole "edit" cluster-wide from "user03", a protected user (--protect)`},
			lift:  reconcile.Rules{},
		},
		"somebody who is protected leaves a group": {
			after: strings.Replace(reconciletest.Crew(8), "user03, groups: [devs],", "user03,", 1), rules: reconcile.Rules{Protect: []string{"user03"}},
			want: []string{`would take ClusterRole "view" cluster-wide from "user03", a protected user (--protect)`},
			lift: reconcile.Rules{},
		},
		"somebody who is protected gets the same role otherwise": {
			after: strings.Replace(reconciletest.Crew(8), "user03, groups: [devs], clusterRoles: [edit]", "user03, groups: [devs], clusterRoles: [edit, view]", 1),
			rules: reconcile.Rules{Protect: []string{"user03"}},
		},
		"who runs it": {
			before: reconciletest.Crew(3) + "  - {name: certsync, clusterRoles: [admin]}\n", after: reconciletest.Crew(3),
			want: []string{`would remove "certsync", the user who runs this apply (let another user apply it)`},
		},
		"another cluster": {
			after: reconciletest.Crew(8), world: func(w *reconciletest.World) { w.State.ClusterUID = "cluster-0" },
			want: []string{"owner test belongs to another cluster (its kube-system has UID cluster-0, this one's cluster-1): every credential would be replaced (--move-to-this-cluster)"},
			lift: reconcile.Rules{MoveToThisCluster: true},
		},
		"no state where there are bindings": {
			after: reconciletest.Crew(8), world: func(w *reconciletest.World) {
				w.State, w.StateVersion, w.Ledger, w.Users, w.Generation = nil, 0, map[string]*reconciletest.Secret{}, map[string]*reconciletest.Secret{}, 0
			},
			want: []string{"the cluster has 9 ClusterRoleBindings of owner test, and Vault has no state: check that Vault, mount and prefix are right (--new-ledger)"},
			lift: reconcile.Rules{NewLedger: true},
		},
		"no state where there was one": {
			before: "users: [{name: a}]", after: "users: [{name: a}]",
			world: func(w *reconciletest.World) {
				w.State, w.StateVersion, w.Ledger, w.Users = nil, 0, map[string]*reconciletest.Secret{}, map[string]*reconciletest.Secret{}
			},
			want: []string{"owner test has been applied to this cluster (generation 1), and Vault has no state: check that Vault, mount and prefix are right (--new-ledger)"},
			lift: reconcile.Rules{NewLedger: true},
		},
		"an older state": {
			after: reconciletest.Crew(8), world: func(w *reconciletest.World) { w.Generation = 7 },
			want: []string{"Vault's state is of generation 1, and the last run wrote 7: was Vault restored from a backup? (--accept-rollback)"},
			lift: reconcile.Rules{AcceptRollback: true},
		},
		"another inventory under --drift": {
			after: reconciletest.Crew(9), rules: reconcile.Rules{Drift: true},
			want: []string{"this inventory is not the one that was applied last, and --drift corrects drift only (if it is the newer one, apply it without --drift)"},
			lift: reconcile.Rules{},
		},
		"the same inventory under --drift": {
			after: reconciletest.Crew(8), rules: reconcile.Rules{Drift: true}, world: func(w *reconciletest.World) { delete(w.Bindings, "ClusterRoleBinding certsync:test:group:devs:view") },
		},
		"a clock that is off": {
			after: reconciletest.Crew(9), world: func(w *reconciletest.World) { w.Skew = 3 * time.Minute },
			want: []string{"the clocks of this machine and of the API server differ by 3m, and expiry and renewal depend on the time (set the clock)"},
		},
		"a clock that is a little off": {
			after: reconciletest.Crew(9), world: func(w *reconciletest.World) { w.Skew = -119 * time.Second },
		},
		"all at once": {
			after: reconciletest.Crew(8, 0, 1, 2), world: func(w *reconciletest.World) { w.Generation, w.State.ClusterUID = 7, "cluster-0" },
			rules: reconcile.Rules{Protect: []string{"user01"}, Drift: true},
			want: []string{
				"owner test belongs to another cluster (its kube-system has UID cluster-0, this one's cluster-1): every credential would be replaced (--move-to-this-cluster)",
				"this inventory is not the one that was applied last, and --drift corrects drift only (if it is the newer one, apply it without --drift)",
				`would remove "user01", a protected user (--protect)`,
				"would remove 3 of 8 users, more than 25% (--max-removals)",
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			if tt.before == "" {
				tt.before = reconciletest.Crew(8)
			}
			w.MustApply(reconciletest.Parse(t, tt.before))
			if tt.world != nil {
				tt.world(w)
			}
			w.Rules = tt.rules
			if diff := cmp.Diff(tt.want, w.Refused(tt.after)); diff != "" {
				t.Fatal(diff)
			}
			if tt.want == nil || isZero(tt.lift) && isZero(tt.rules) {
				return
			}
			w.Rules = tt.lift
			if !isZero(tt.lift) {
				w.MustApply(reconciletest.Parse(t, tt.after))
			}
		})
	}
}

func isZero(r reconcile.Rules) bool {
	return cmp.Equal(r, reconcile.Rules{}, cmp.AllowUnexported(reconcile.Limit{}))
}
