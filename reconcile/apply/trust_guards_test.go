package apply_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// These tests are about guards: who may write in a namespace, or one path in Vault, can neither trigger nor blind them.

// TestEverybodyIsPlanted: bindings with everybody as subjects count for nothing: not as removals, nor in the total.
func TestEverybodyIsPlanted(t *testing.T) {
	var everybody []string
	for i := range 8 {
		everybody = append(everybody, fmt.Sprintf("user%02d", i))
	}
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Crew(8)))
	for i := range 20 {
		tenantBinding(w, reconcile.Grant{For: reconcile.ForGroup, Subject: fmt.Sprintf("g%d", i), Namespace: "staging", Role: "view"}, everybody...)
	}
	w.MustApply(reconciletest.Parse(t, strings.Replace(reconciletest.Crew(8, 0), "user01, groups: [devs]", "user01, groups: []", 1)))
	if len(w.Bindings) != 8 || w.Users["user00"] != nil || len(w.Served("user01")) != 1 {
		t.Errorf("%d bindings, user01 has %q", len(w.Bindings), w.Served("user01"))
	}
}

// TestDeletedBindingsMakeNoGuard: a tenant who deletes bindings does not make --max-removals hold what is left of them.
func TestDeletedBindingsMakeNoGuard(t *testing.T) {
	text := "groups: [{name: devs, namespaces: {staging: [view, edit]}}]\nusers:\n"
	for i := range 10 {
		text += fmt.Sprintf("  - {name: user%02d, groups: [devs], clusterRoles: [view]}\n", i)
	}
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, text))
	for object, b := range w.Bindings {
		if b.Namespace != "" {
			delete(w.Bindings, object)
		}
	}
	fewer := strings.NewReplacer("user00, groups: [devs], clusterRoles: [view]", "user00, groups: [devs]", "user01, groups: [devs], clusterRoles: [view]", "user01, groups: [devs]",
		"user02, groups: [devs], clusterRoles: [view]", "user02, groups: [devs]").Replace(text)
	w.MustApply(reconciletest.Parse(t, fewer))
}

// TestWrittenPathsMoveNoGuard: a writer of some users' paths in Vault keeps those users from new roles that replace old ones. The
// guards do not count that: the run is not refused, and nobody else is held. A protected user keeps the old role.
func TestWrittenPathsMoveNoGuard(t *testing.T) {
	for sentence, write := range map[string]func(w *reconciletest.World, user string){
		"a secret":  func(w *reconciletest.World, user string) { w.Write(w.Users, user, reconciletest.KVVersion{}) },
		"no secret": func(w *reconciletest.World, user string) { delete(w.Users, user) },
		"somebody else's": func(w *reconciletest.World, user string) {
			w.Write(w.Ledger, user, reconciletest.KVVersion{Record: &reconcile.Record{User: "eve"}})
		},
		"a group that is not theirs": func(w *reconciletest.World, user string) {
			rec := *w.Ledger[user].Versions[1].Record
			rec.Certificates = slices.Clone(rec.Certificates)
			rec.Certificates[0].Groups = append(slices.Clone(rec.Certificates[0].Groups), "system:masters")
			w.Write(w.Ledger, user, reconciletest.KVVersion{Record: &rec})
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			w.MustApply(reconciletest.Parse(t, reconciletest.Crew(8)))
			for i := range 5 {
				write(w, fmt.Sprintf("user%02d", i))
			}
			w.Rules.Protect = []string{"user00"}
			text := strings.ReplaceAll(reconciletest.Crew(8), "[edit]", "[admin]")
			text = strings.Replace(text, "user00, groups: [devs], clusterRoles: [admin]", "user00, clusterRoles: [edit, view]", 1)
			o, err := w.Apply(reconciletest.Parse(t, text))
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range o.Ended(reconcile.Held) {
				if e.User > "user04" {
					t.Errorf("%+v", e)
				}
			}
			want := map[string][]string{
				"user00": {reconciletest.GroupView, "ClusterRoleBinding certsync:test:user:user00:edit"},
				"user07": {reconciletest.GroupView, "ClusterRoleBinding certsync:test:user:user07:admin"},
			}
			for user, bindings := range want {
				for _, object := range bindings {
					if !slices.Contains(w.Served(user), object) {
						t.Errorf("%s has %q", user, w.Served(user))
					}
				}
			}
		})
	}
}

// TestDecidedRemovalsCountOnce: what a run was to take, and took, counts for no guard of a later run.
func TestDecidedRemovalsCountOnce(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	less := reconciletest.Parse(t, strings.Replace(reconciletest.Team, ", clusterRoles: [admin]", "", 1))
	w.MustApply(less) // taken
	w.Rules.Protect = []string{"alice"}
	w.MustApply(less)
}

// TestDecidedSubjectsCountOnce is the same for --max-removals.
func TestDecidedSubjectsCountOnce(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Crew(10)))
	none := strings.ReplaceAll(reconciletest.Crew(10), ", groups: [devs]", "")
	w.Rules.MaxRemovals = reconciletest.Limit(t, "100%")
	w.MustApply(reconciletest.Parse(t, none))
	w.Rules = reconcile.Rules{}
	w.MustApply(reconciletest.Parse(t, none+"  - {name: dave}\n")) // takes nothing from anybody
}

// TestTenantKeepsNoLossAlive: a tenant who puts somebody back, run after run, has no later removal refused for it.
func TestTenantKeepsNoLossAlive(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	out := strings.Replace(reconciletest.Team, "{name: alice, groups: [devs],", "{name: alice,", 1)
	w.MustApply(reconciletest.Parse(t, out))
	for _, more := range []string{"  - {name: dave}\n", "  - {name: dave}\n  - {name: ed}\n"} { // the state is written anew, twice
		w.Changed(groupEdit, func(b *reconcile.Binding) { b.Subjects = append(b.Subjects, reconcile.UserSubject("alice")) })
		w.MustApply(reconciletest.Parse(t, out+more))
	}
	w.Rules.Protect = []string{"alice"}
	honest := strings.Replace(out+"  - {name: dave}\n  - {name: ed}\n", "  - {name: bob, groups: [devs]}\n", "", 1)
	w.MustApply(reconciletest.Parse(t, honest))
}

// TestTenantMakesNoTotal: nor do those whom a tenant puts back make the share larger that may be taken.
func TestTenantMakesNoTotal(t *testing.T) {
	w := reconciletest.NewWorld(t)
	crew := func(gone ...int) string {
		return strings.Replace(reconciletest.Crew(40, gone...), "clusterRoles: [view]}", "clusterRoles: [view], namespaces: {staging: [edit]}}", 1)
	}
	w.MustApply(reconciletest.Parse(t, crew()))
	var gone []int
	for i := 10; i < 40; i++ {
		gone = append(gone, i)
	}
	w.Rules.MaxRemovals = reconciletest.Limit(t, "100%")
	w.MustApply(reconciletest.Parse(t, crew(gone...)))
	w.Rules = reconcile.Rules{}
	w.Changed(groupEdit, func(b *reconcile.Binding) { // the tenant; without this the last apply is refused, as it must be
		for _, i := range gone {
			b.Subjects = append(b.Subjects, reconcile.UserSubject(fmt.Sprintf("user%02d", i)))
		}
	})
	now := crew(gone...) + "  - {name: dave}\n"
	w.MustApply(reconciletest.Parse(t, now))
	for i := range 5 { // half of the group loses it
		now = strings.Replace(now, fmt.Sprintf("user%02d, groups: [devs],", i), fmt.Sprintf("user%02d,", i), 1)
	}
	if _, err := w.Apply(reconciletest.Parse(t, now)); !reconciletest.IsRefused(err) {
		t.Errorf("10 of 30 are taken: %v", err)
	}
}

// TestUpgradeBesideATenant: what a tenant has planted by then does not get into the index of version 2.
func TestUpgradeBesideATenant(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Crew(8)))
	ofVersion1(w)
	w.Plant(reconcile.NewBinding("test", reconcile.Grant{For: reconcile.ForGroup, Subject: "devs", Namespace: "staging", Role: "admin", Part: 1},
		[]string{"user00", "user01", "user02", "user03", "user04", "user05", "user06", "user07"}))
	w.MustApply(reconciletest.Parse(t, reconciletest.Crew(8)))    // the upgrade, which takes the planted binding away
	w.MustApply(reconciletest.Parse(t, reconciletest.Crew(8, 7))) // an honest removal
}

// TestFirstApplyBesideAPlantedBinding: a tenant's binding does not make a new owner look like one whose ledger is lost.
func TestFirstApplyBesideAPlantedBinding(t *testing.T) {
	w := reconciletest.NewWorld(t)
	planted := tenantBinding(w, reconcile.Grant{For: reconcile.ForUser, Subject: "alice", Namespace: "staging", Role: "view"}, "alice")
	w.MustApply(reconciletest.Parse(t, "users: [{name: alice}]"))
	if w.Bindings[planted].UID != "" {
		t.Error("the planted binding is still there")
	}
	w = reconciletest.NewWorld(t)
	tenantBinding(w, reconcile.Grant{For: reconcile.ForGroup, Subject: "devs", Namespace: "staging", Role: "admin"}, "user00", "user01", "user02", "user03")
	w.MustApply(reconciletest.Parse(t, reconciletest.Crew(4)))
	w = reconciletest.NewWorld(t)
	tenantBinding(w, reconcile.Grant{For: reconcile.ForUser, Subject: "alice", Role: "view"}, "alice") // which an administrator can only have made
	if got := w.Refused("users: [{name: alice}]"); len(got) != 1 || !strings.Contains(got[0], "--new-ledger") {
		t.Errorf("%q", got)
	}
}

// TestRestoredStateCountsNothing: guards do not count access that only an older state knows.
func TestRestoredStateCountsNothing(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Crew(4)))
	old := *w.State
	none := strings.ReplaceAll(strings.ReplaceAll(reconciletest.Crew(4), "groups: [devs], ", ""), "[edit]", "[]")
	w.Rules.MaxRemovals = reconciletest.Limit(t, "100%")
	w.MustApply(reconciletest.Parse(t, none))
	w.State, w.Rules = &old, reconcile.Rules{AcceptRollback: true}
	w.MustApply(reconciletest.Parse(t, none))
	if w.State.Generation != 3 {
		t.Errorf("the state is of generation %d", w.State.Generation)
	}
}

// TestRollbackLiftsNoLimit: --accept-rollback says that the state is right, and not that the removals are.
func TestRollbackLiftsNoLimit(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Crew(8)))
	fewer := reconciletest.Parse(t, reconciletest.Crew(8, 0, 1, 2))
	w.Hold = true
	if _, err := w.Apply(fewer); err != nil || w.State.InventoryDigest != fewer.Digest() {
		t.Fatal(err)
	}
	w.Hold, w.Mark, w.Unleased = false, reconcile.Mark{}, true
	w.Rules = reconcile.Rules{AcceptRollback: true}
	if _, err := w.Apply(fewer); err == nil || !strings.Contains(err.Error(), "would remove 3 of 8 users") {
		t.Errorf("%v", err)
	}
}
