package removals_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// crew is a world of users user00 and so on, each with a role of their own, in one group.
func crew(t *testing.T, n int) *reconciletest.World {
	t.Helper()
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Crew(n)))
	w.Rules.Self = "certsync"
	return w
}

// TestLimit: --max-removals counts users, bindings and subjects cluster-wide. A user who loses everything counts once.
func TestLimit(t *testing.T) {
	tests := map[string]struct {
		text  string
		limit string
		want  []string
	}{
		"a quarter of the users":       {text: reconciletest.Crew(8, 0, 1)},
		"more than a quarter":          {text: reconciletest.Crew(8, 0, 1, 2), want: []string{"would take everything cluster-wide from 3 of 8 users, more than 25% (--max-removals)"}},
		"no more than the flag allows": {text: reconciletest.Crew(8, 0, 1, 2), limit: "3"},
		"one user, and none may go":    {text: reconciletest.Crew(8, 0), limit: "0", want: []string{"would take everything cluster-wide from 1 of 8 users, more than 0 (--max-removals)"}},
		"their own roles": {text: strings.ReplaceAll(reconciletest.Crew(8), ", clusterRoles: [edit]", ""), want: []string{
			"would delete 8 of 9 cluster-wide bindings, more than 25% (--max-removals)",
			"would take 8 of 16 subjects out of cluster-wide bindings, more than 25% (--max-removals)"}},
		"the group's role": {text: strings.Replace(reconciletest.Crew(8), "clusterRoles: [view]", "clusterRoles: []", 1), want: []string{
			"would take 8 of 16 subjects out of cluster-wide bindings, more than 25% (--max-removals)"}},
		"all that one user has of their own": {text: strings.Replace(reconciletest.Crew(8), "user00, groups: [devs], clusterRoles: [edit]", "user00, groups: [devs]", 1), limit: "1"},
		"whose time has passed":              {text: strings.ReplaceAll(reconciletest.Crew(8), "clusterRoles: [edit]", "clusterRoles: [edit], until: 2026-02-01")},
		"grants whose time has passed":       {text: strings.ReplaceAll(reconciletest.Crew(8), "clusterRoles: [edit]", "clusterRoles: [{name: edit, until: 2026-02-01}]")},
	}
	for sentence, tt := range tests {
		t.Run(sentence, func(t *testing.T) {
			w := crew(t, 8)
			if tt.limit != "" {
				w.Rules.MaxRemovals = reconciletest.Limit(t, tt.limit)
			}
			p := planOf(t, w, reconciletest.Parse(t, tt.text))
			if diff := cmp.Diff(tt.want, p.Guards); diff != "" || len(p.HeldByGuard()) > 0 != (tt.want != nil) {
				t.Errorf("%s%q", diff, reconciletest.Lines(p))
			}
		})
	}
}

// TestHold: --hold keeps those whom the guard counts, and the others go: who is revoked, whose time has passed, and what is nobody's.
func TestHold(t *testing.T) {
	w := crew(t, 8)
	w.Hold, w.Rules.Revoke = true, []string{"user07"}
	w.Changed(reconciletest.GroupView, func(b *reconcile.Binding) { b.Subjects = append(b.Subjects, groupSubject("devs")) })
	text := strings.Replace(reconciletest.Crew(8, 0, 1, 2), "user06, groups: [devs], clusterRoles: [edit]", "user06, groups: [devs], clusterRoles: [edit], until: 2026-02-01", 1)
	o, err := w.Remove(reconciletest.Parse(t, text))
	if err != nil {
		t.Fatal(err)
	}
	if got := w.Subjects(reconciletest.GroupView); !slices.Equal(got, []string{"user00", "user01", "user02", "user03", "user04", "user05"}) {
		t.Errorf("%q", got)
	}
	for i := range 8 {
		if own := w.Served(fmt.Sprintf("user%02d", i)); len(own) > 0 != (i < 6) {
			t.Errorf("user%02d has %q", i, own)
		}
	}
	if o.Failed() == 0 || len(o.Ended(reconcile.Held)) != o.Failed() {
		t.Errorf("%q", reconciletest.Results(o))
	}
}

func groupSubject(name string) reconcile.Subject {
	return reconcile.Subject{Kind: "Group", APIGroup: reconcile.RBACGroup, Name: name}
}

// TestTenantsMoveNoGuard: with all users as subjects of RoleBindings with our names, a tenant has no honest removal refused, and
// hides none behind a larger total.
func TestTenantsMoveNoGuard(t *testing.T) {
	var everybody []string
	for i := range 8 {
		everybody = append(everybody, fmt.Sprintf("user%02d", i))
	}
	planted := func(t *testing.T) *reconciletest.World {
		w := crew(t, 8)
		for i := range 20 {
			names := append([]string{fmt.Sprintf("stranger%d", i), "certsync"}, everybody...)
			w.Plant(reconcile.NewBinding("test", reconcile.Grant{For: reconcile.ForGroup, Subject: fmt.Sprintf("g%d", i), Namespace: "staging", Role: "view", Part: 1}, names))
		}
		return w
	}
	w := planted(t)
	if p := planOf(t, w, reconciletest.Parse(t, reconciletest.Crew(8, 0, 1))); len(p.Refusals()) > 0 {
		t.Errorf("honest removals: %q", p.Refusals())
	}
	if p := planOf(t, w, reconciletest.Parse(t, reconciletest.Crew(8, 0, 1, 2))); len(p.Guards) != 1 || !strings.Contains(p.Guards[0], "3 of 8 users") {
		t.Errorf("too many: %q", p.Refusals())
	}
	// The user who runs apply and the one who is protected stay there. The others go.
	w.Rules.Protect = []string{"user05"}
	o, err := w.Remove(reconciletest.Parse(t, reconciletest.Crew(8, 0)))
	if err != nil || len(w.Served("user00")) > 0 || len(w.Served("user01")) != 2 || len(w.Served("stranger3")) > 0 || len(w.Served("certsync")) != 20 || len(w.Served("user05")) != 22 {
		t.Errorf("%v; user01 has %q, user05 %q", err, w.Served("user01"), w.Served("user05"))
	}
	if held := o.Ended(reconcile.Held); len(held) != 40 {
		t.Errorf("%d held", len(held))
	}
}

// TestProtection: nothing is taken cluster-wide from who is protected or runs apply, in any epoch, and --hold does the rest.
func TestProtection(t *testing.T) {
	for name, r := range map[string]reconcile.Rules{
		`would take ClusterRole "admin" cluster-wide from "alice", a protected user (--protect)`:                             {Protect: []string{"alice"}},
		`would take ClusterRole "admin" cluster-wide from "alice", the user who runs this apply (let another user apply it)`: {Self: "alice"},
	} {
		w := settled(t)
		put(w, aliceAdmin, users("alice#2")...)
		w.Rules.Protect, w.Rules.Self, w.Rules.MaxRemovals = r.Protect, r.Self, reconciletest.Limit(t, "100%")
		text := changed("alice, groups: [devs], clusterRoles: [admin]", "alice, groups: [devs]", "bob, groups: [devs]", "bob")
		w.Consent = func(reconcile.Plan) error { t.Error("asked"); return nil }
		if _, err := w.Remove(reconciletest.Parse(t, text)); !reconciletest.IsRefused(err) || err.Error() != "refused: "+name || len(w.Writes()) > 0 {
			t.Errorf("%v, wrote %q", err, w.Writes())
		}
		w.Consent, w.Hold = nil, true
		if _, err := w.Remove(reconciletest.Parse(t, text)); err != nil || w.Served("bob") != nil || !slices.Contains(w.Served("alice#2"), aliceAdmin) {
			t.Errorf("%v; bob has %q, alice %q", err, w.Served("bob"), w.Served("alice#2"))
		}
	}
}

// TestRevocationOfTheProtected is refused, and --hold revokes the others. The lock notes nothing of it.
func TestRevocationOfTheProtected(t *testing.T) {
	w := settled(t)
	w.Rules.Protect, w.Rules.Revoke = []string{"alice"}, []string{"alice", "bob"}
	_, err := w.Remove(reconciletest.Parse(t, reconciletest.Team))
	if !reconciletest.IsRefused(err) || err.Error() != `refused: would revoke the certificates of "alice", a protected user (--protect)` {
		t.Error(err)
	}
	w.Hold = true
	if _, err := w.Remove(reconciletest.Parse(t, reconciletest.Team)); err != nil || len(w.Served("alice")) != 3 || w.Served("bob") != nil || len(w.Revoked) != 1 {
		t.Errorf("%v; alice has %q, bob %q; at the lock %v", err, w.Served("alice"), w.Served("bob"), w.Revoked)
	}
}

// TestNoUsers: an inventory without users takes nothing from anybody without --allow-empty. A revoked user goes with --hold.
func TestNoUsers(t *testing.T) {
	w := settled(t)
	const none = "groups: [{name: devs, clusterRoles: [view]}]\nusers: []"
	if _, err := w.Remove(reconciletest.Parse(t, none)); !reconciletest.IsRefused(err) || !strings.Contains(err.Error(), "--allow-empty") {
		t.Error(err)
	}
	w.Hold, w.Rules.Revoke = true, []string{"alice"}
	if _, err := w.Remove(reconciletest.Parse(t, none)); err != nil || w.Served("alice") != nil || len(w.Served("bob")) != 2 || len(w.Served("carol")) != 1 {
		t.Errorf("%v; alice has %q, bob %q", err, w.Served("alice"), w.Served("bob"))
	}
	w.Hold, w.Rules.Revoke, w.Rules.AllowEmpty = false, nil, true
	if w.MustRemove(reconciletest.Parse(t, none)); len(w.Bindings) > 0 {
		t.Errorf("%d bindings left", len(w.Bindings))
	}
}
