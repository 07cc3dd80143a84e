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
				if w.MustApply(reconciletest.Parse(t, reconciletest.Team)); w.Served("bob") != nil || len(w.Served("bob#2")) != 2 {
					t.Errorf("the old certificate gets %q, the new one %q", w.Served("bob"), w.Served("bob#2"))
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

// TestNextUserOfAName: whoever gets a name does not find there what its last user was to lose, and could not for a bad hour of
// the API server.
func TestNextUserOfAName(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	w.Fail = reconciletest.Failing("update ", reconciletest.ErrBoom) // one bad hour of the API server
	if o, err := w.Apply(reconciletest.Parse(t, reconciletest.WithoutBob)); err != nil || o.Failed() == 0 {
		t.Fatal(err)
	}
	w.Fail = nil
	for range 2 {
		w.MustApply(reconciletest.Parse(t, reconciletest.Team)) // somebody else gets the name
		if got := w.Served("bob"); got != nil {
			t.Errorf("the old certificate has %q", got)
		}
	}
}

// TestRemovedWhileServed: the authorizer ignores the namespace of a User, so a binding that has one still serves a leaver.
func TestRemovedWhileServed(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	w.Changed(groupEdit, func(b *reconcile.Binding) { // the authorizer ignores the namespace of a User
		for i := range b.Subjects {
			b.Subjects[i].Namespace = "x"
		}
	})
	w.Fail = reconciletest.Failing("update "+groupEdit, reconciletest.ErrBoom)
	o, _ := w.Apply(reconciletest.Parse(t, reconciletest.WithoutBob))
	if rec := w.Ledger["bob"]; rec.Versions[rec.Current].Record.State == reconcile.Removed {
		t.Errorf("%q, record removed, and the binding serves %v", reconciletest.Results(o), w.Bindings[groupEdit].Subjects)
	}
}

// TestManyBindingsOfOthers: the notes on a subject to whom a tenant has bound a thousand roles are bounded.
func TestManyBindingsOfOthers(t *testing.T) {
	w := reconciletest.NewWorld(t)
	for i := range 4000 {
		w.Plant(reconcile.Binding{Kind: reconcile.RoleBinding, Namespace: "staging", Name: fmt.Sprint(i), RoleRef: reconcile.RoleRef{Kind: "Role", Name: "nothing"},
			Subjects: []reconcile.Subject{{Kind: "Group", APIGroup: reconcile.RBACGroup, Name: "system:authenticated"}}})
	}
	if p := w.Plan(reconciletest.Parse(t, reconciletest.Team)); len(p.Notes) > 100 {
		t.Errorf("%d notes", len(p.Notes))
	}
}

// TestBindingIsGone: somebody deletes a binding in the middle of a run that was to take a leaver out of it.
func TestBindingIsGone(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	w.Fail = func(call string) error {
		if strings.HasPrefix(call, "update "+groupEdit) {
			delete(w.Bindings, groupEdit)
		}
		return nil
	}
	o, err := w.Apply(reconciletest.Parse(t, reconciletest.WithoutBob))
	if err != nil || o.Failed() > 0 || w.Ledger["bob"].Versions[w.Ledger["bob"].Current].Record.State != reconcile.Removed {
		t.Errorf("%v, %q", err, reconciletest.Results(o))
	}
}
