package apply_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// These tests are about those who may write in a namespace, or one path in Vault: what they write is evidence of nothing.

// tenantBinding is a binding of certsync's form, made by somebody else.
func tenantBinding(w *reconciletest.World, g reconcile.Grant, users ...string) string {
	g.Part = max(g.Part, 1)
	b := reconcile.NewBinding("test", g, users)
	w.Plant(b)
	return b.Object()
}

// TestStrippedLabel: a leaver who takes a label off their binding is out in the first run.
func TestStrippedLabel(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	const carols = "RoleBinding payments/certsync:test:user:carol:edit"
	w.Changed(carols, func(b *reconcile.Binding) { b.Owner, b.ManagedBy = "", "" })
	w.MustApply(reconciletest.Parse(t, strings.Replace(reconciletest.Team, "  - {name: carol, namespaces: {payments: [edit]}}\n", "", 1)))
	if w.Served("carol") != nil || w.Users["carol"] != nil {
		t.Errorf("carol has %q", w.Served("carol"))
	}
}

// TestTeamNamesAnAdministrator: a binding that the team's lead plants for the name in their namespace changes nothing.
func TestTeamNamesAnAdministrator(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, "users: [{name: alice}]"))
	w.Plant(reconcile.Binding{Kind: reconcile.ClusterRoleBinding, Name: "by-hand", RoleRef: reconcile.RoleRef{Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects: []reconcile.Subject{reconcile.UserSubject("administrator")}})
	tenantBinding(w, reconcile.Grant{For: reconcile.ForUser, Subject: "administrator", Namespace: "staging", Role: "view"}, "administrator")
	inv := reconciletest.Parse(t, "users: [{name: alice}, {name: administrator}]")
	inv.Users[1].Team = "payments"
	o, err := w.Apply(inv)
	if err != nil || len(o.Ended(reconcile.Held)) != 1 || !strings.Contains(o.Ended(reconcile.Held)[0].Error, "not the team's to give") || w.Users["administrator"] != nil {
		t.Errorf("%v, %q", err, reconciletest.Results(o))
	}
}

// TestPlantedBindingTouchesNoSecret: a binding for a name is no sign that what stands at users/NAME is certsync's.
func TestPlantedBindingTouchesNoSecret(t *testing.T) {
	for sentence, text := range map[string]string{"nobody's": "users: [{name: alice}]", "somebody new's": "users: [{name: alice}, {name: zed}]"} {
		t.Run(sentence, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			w.MustApply(reconciletest.Parse(t, "users: [{name: alice}]"))
			w.Write(w.Users, "zed", reconciletest.KVVersion{})
			planted := tenantBinding(w, reconcile.Grant{For: reconcile.ForUser, Subject: "zed", Namespace: "staging", Role: "view"}, "zed")
			for range 2 {
				if o, err := w.Apply(reconciletest.Parse(t, text)); err != nil || len(o.Ended(reconcile.Held)) != 1 {
					t.Errorf("%v, %q", err, reconciletest.Results(o))
				}
			}
			if s := w.Users["zed"]; s == nil || s.Current != 1 || s.Versions[1].Destroyed || w.Bindings[planted].UID != "" {
				t.Errorf("%+v, %+v", s, w.Bindings[planted])
			}
		})
	}
}

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

// TestWrittenPathsMoveNoGuard: whoever writes some users' paths in Vault keeps those from what they should get in place of
// something else. That counts as a loss for nobody: it neither refuses the run nor holds anybody else. Who of them is
// protected keeps what they have.
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

// TestFirstApplyBesideAPlantedBinding: a tenant's binding does not make a new owner look like one whose ledger is lost.
func TestFirstApplyBesideAPlantedBinding(t *testing.T) {
	w := reconciletest.NewWorld(t)
	planted := tenantBinding(w, reconcile.Grant{For: reconcile.ForUser, Subject: "alice", Namespace: "staging", Role: "view"}, "alice")
	w.MustApply(reconciletest.Parse(t, "users: [{name: alice}]"))
	if w.Bindings[planted].UID != "" {
		t.Error("the planted binding is still there")
	}
	w = reconciletest.NewWorld(t)
	tenantBinding(w, reconcile.Grant{For: reconcile.ForUser, Subject: "alice", Role: "view"}, "alice") // which an administrator can only have made
	if got := w.Refused("users: [{name: alice}]"); len(got) != 1 || !strings.Contains(got[0], "--new-ledger") {
		t.Errorf("%q", got)
	}
}

// TestForgedRecords: whoever may write one ledger record cannot bring a name back while a certificate of it may live.
func TestForgedRecords(t *testing.T) {
	for sentence, forge := range map[string]func(w *reconciletest.World){
		"deleted": func(w *reconciletest.World) { delete(w.Ledger, "bob") },
		"deleted softly": func(w *reconciletest.World) {
			w.MarkCurrent(w.Ledger["bob"], reconciletest.KVVersion{Deleted: true})
		},
		"an end had passed": func(w *reconciletest.World) {
			rec := *w.Ledger["bob"].Versions[w.Ledger["bob"].Current].Record
			rec.Reason = string(reconcile.UntilPassed)
			w.Write(w.Ledger, "bob", reconciletest.KVVersion{Record: &rec})
		},
		"without certificates": func(w *reconciletest.World) {
			rec := *w.Ledger["bob"].Versions[w.Ledger["bob"].Current].Record
			rec.Certificates = nil
			w.Write(w.Ledger, "bob", reconciletest.KVVersion{Record: &rec})
		},
		"never removed": func(w *reconciletest.World) {
			rec := *w.Ledger["bob"].Versions[w.Ledger["bob"].Current].Record
			rec.State, rec.Certificates = reconcile.Active, slices.Clone(rec.Certificates)
			rec.Certificates[0].Status = reconcile.Current
			w.Write(w.Ledger, "bob", reconciletest.KVVersion{Record: &rec})
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			w.MustApply(reconciletest.Parse(t, reconciletest.Team))
			w.MustApply(reconciletest.Parse(t, reconciletest.WithoutBob))
			forge(w)
			for range 2 { // he comes back, and comes back
				if got := w.Conflicts(reconciletest.Team); len(got) != 1 || !strings.Contains(got[0], "the name is quarantined") {
					t.Errorf("held: %q", got)
				}
				if w.Served("bob") != nil || w.Users["bob"] != nil {
					t.Errorf("the old certificate gets %q", w.Served("bob"))
				}
			}
			w.Now = w.Now.Add(10 * 24 * time.Hour)
			if got := reconciletest.Lines(w.Plan(reconciletest.Parse(t, reconciletest.Team))); slices.ContainsFunc(got, func(l string) bool { return strings.Contains(l, "bob") && strings.HasSuffix(l, "held") }) {
				t.Errorf("when it has ended: %q", got)
			}
		})
	}
}

// TestNoLease: without a Lease nobody knows whether the state is the last one.
func TestNoLease(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, "users: [{name: alice}]"))
	w.MustApply(reconciletest.Parse(t, "users: [{name: alice}, {name: bob}]"))
	for sentence, change := range map[string]func(){
		"it was deleted":                func() { w.Unleased, w.Generation = true, 0 },
		"somebody made another":         func() { w.Unleased, w.Generation = false, 0 },
		"it was deleted, and Vault old": func() { w.Unleased, w.Generation, w.State.Generation = true, 0, 1 },
	} {
		change()
		if got := w.Refused("users: [{name: alice}]"); len(got) != 1 || !strings.HasSuffix(got[0], "(--accept-rollback)") {
			t.Errorf("%s: %q", sentence, got)
		}
		w.State.Generation = 2
	}
	w.Rules.AcceptRollback = true
	w.MustApply(reconciletest.Parse(t, "users: [{name: alice}, {name: bob}, {name: carol}]"))
	w.Rules.AcceptRollback = false
	if w.MustApply(reconciletest.Parse(t, "users: [{name: alice}, {name: bob}]")); w.Generation != 4 || w.Unleased {
		t.Errorf("generation %d", w.Generation)
	}
}

// TestAnotherVaultAndAnotherLock: with a mistyped prefix and another namespace for the lock, neither state nor Lease tells of an
// earlier run. The ClusterRoleBindings do.
func TestAnotherVaultAndAnotherLock(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	w.State, w.StateVersion, w.Ledger, w.Users = nil, 0, map[string]*reconciletest.Secret{}, map[string]*reconciletest.Secret{}
	w.Generation, w.Unleased = 0, true
	if got := w.Refused(reconciletest.Team); len(got) != 1 || !strings.HasSuffix(got[0], "(--new-ledger)") {
		t.Errorf("%q", got)
	}
}

// TestOwnersThatBeginAlike: an owner whose name begins another one's leaves that one's bindings alone.
func TestOwnersThatBeginAlike(t *testing.T) {
	w := reconciletest.NewWorld(t)
	var theirs []string
	for _, owner := range []string{"test-2", "tes", "test2"} {
		b := reconcile.NewBinding(owner, reconcile.Grant{For: reconcile.ForGroup, Subject: "devs", Role: "view", Part: 1}, []string{"zoe"})
		w.Plant(b)
		theirs = append(theirs, b.Object())
	}
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	w.Rules.AllowEmpty = true
	w.MustApply(reconciletest.Parse(t, "users: []"))
	for _, object := range theirs {
		if got := w.Subjects(object); !slices.Equal(got, []string{"zoe"}) {
			t.Errorf("%s serves %q", object, got)
		}
	}
	if len(w.Bindings) != len(theirs) {
		t.Errorf("left: %d bindings", len(w.Bindings))
	}
}

// TestLongTexts: one record, or one binding, does not fill a plan.
func TestLongTexts(t *testing.T) {
	long := strings.Repeat("x", 300_000)
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	rec := *w.Ledger["bob"].Versions[1].Record
	rec.User = long
	w.Write(w.Ledger, "bob", reconciletest.KVVersion{Record: &rec})
	b := reconcile.NewBinding("test", reconcile.Grant{For: reconcile.ForGroup, Subject: "devs", Namespace: "payments", Role: "view", Part: 1}, []string{"alice", long})
	for i := range 5000 {
		b.Subjects = append(b.Subjects, reconcile.Subject{Kind: "Group", APIGroup: reconcile.RBACGroup, Name: fmt.Sprintf("g%d-%s", i, long[:60])})
	}
	w.Plant(b)
	w.Plant(reconcile.Binding{Kind: reconcile.RoleBinding, Namespace: "staging", Name: "certsync:test:" + long, RoleRef: reconcile.RoleRef{Kind: "Role", Name: long}, Subjects: []reconcile.Subject{reconcile.UserSubject("alice")}})
	text, err := w.Plan(reconciletest.Parse(t, strings.Replace(reconciletest.Team, "name: alice,", "name: alice,", 1)+"  - {name: dan, groups: [devs]}\n")).MarshalJSON()
	if err != nil || len(text) > 20_000 {
		t.Errorf("%d bytes, %v", len(text), err)
	}
}
