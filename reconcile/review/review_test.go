package review

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/access"
	"github.com/certsync/certsync/reconcile/plan/index"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

const (
	team = `
groups:
  - {name: devs, clusterRoles: [view], namespaces: {staging: [edit]}}
users:
  - {name: alice, groups: [devs], clusterRoles: [admin]}
  - {name: bob, groups: [devs]}
  - {name: carol, namespaces: {payments: [edit]}, until: 2026-12-31}
`
	withoutBob = `
groups:
  - {name: devs, clusterRoles: [view], namespaces: {staging: [edit]}}
users:
  - {name: alice, groups: [devs], clusterRoles: [admin]}
  - {name: carol, namespaces: {payments: [edit]}, until: 2026-12-31}
`
)

func rule(verb, group, resource string) reconcile.Rule {
	return reconcile.Rule{Verbs: []string{verb}, Groups: []string{group}, Resources: []string{resource}}
}

// newWorld is a cluster whose roles have rules.
func newWorld(t testing.TB) *reconciletest.World {
	w := reconciletest.NewWorld(t)
	w.RoleRules = map[reconcile.Role][]reconcile.Rule{
		{Name: "view"}:  {rule("get", "", "pods")},
		{Name: "edit"}:  {rule("get", "", "pods"), rule("create", "apps", "deployments")},
		{Name: "admin"}: {rule("get", "", "secrets"), rule("create", reconcile.RBACGroup, "rolebindings")},
	}
	w.RunID, w.Revision = "run-1", "c0ffee"
	return w
}

func observe(w *reconciletest.World) reconcile.Observed {
	w.T.Helper()
	o, err := reconcile.Observe(w.T.Context(), "test", w, w, func() time.Time { return w.Now })
	if err != nil {
		w.T.Fatal(err)
	}
	return o
}

func reviewOf(w *reconciletest.World, inv *inventory.Inventory) Review {
	w.T.Helper()
	return Of(inv, observe(w), reconcile.Rules{})
}

// others makes a binding that is not certsync's.
func others(w *reconciletest.World, name, namespace, kind, subject, role string) {
	b := reconcile.Binding{Kind: reconcile.ClusterRoleBinding, Namespace: namespace, Name: name, UID: w.Next(), CreatedAt: w.Now.Add(-24 * time.Hour),
		RoleRef: reconcile.RoleRef{Kind: "ClusterRole", Name: role}, Subjects: []reconcile.Subject{{Kind: kind, APIGroup: reconcile.RBACGroup, Name: subject}}}
	if namespace != "" {
		b.Kind = reconcile.RoleBinding
	}
	if kind == "ServiceAccount" {
		b.Subjects[0].APIGroup, b.Subjects[0].Namespace = "", "tools"
	}
	w.Bindings[b.Object()] = b
}

// sketch is a review in lines: "Person alice: A admin cluster-wide own; …".
func sketch(r Review) []string {
	list := func(all []Access) string {
		var parts []string
		for _, a := range all {
			text := fmt.Sprintf("%s %s/%s %s", a.Strength, a.Namespace, a.Role, a.Through)
			if a.Group != "" {
				text += " " + a.Group
			}
			if a.Status != "bound" {
				text += " " + string(a.Status)
			}
			parts = append(parts, text)
		}
		return strings.Join(parts, "; ")
	}
	var lines []string
	for _, p := range r.People {
		lines = append(lines, fmt.Sprintf("%s %s: %s", p.Name, p.State, list(p.Access)))
	}
	for _, o := range r.Others {
		lines = append(lines, fmt.Sprintf("%s %s: %s", o.Kind, o.Name, list(o.Access)))
	}
	return lines
}

// TestOf: everybody is there, with all access however it comes, how strong it is, and what kept somebody's certificate.
func TestOf(t *testing.T) {
	tests := map[string]struct {
		world func(w *reconciletest.World)
		text  string
		want  []string
	}{
		"people of the inventory, with their own roles and their groups'": {want: []string{
			"alice active: cluster-admin /admin own; write staging/edit group devs; read /view group devs",
			"bob active: write staging/edit group devs; read /view group devs",
			"carol active: write payments/edit own",
		}},
		"bindings of others, by name and by group": {world: func(w *reconciletest.World) {
			others(w, "a", "", "User", "carol", "admin")
			others(w, "b", "payments", "Group", "devs", "admin")
		}, want: []string{
			"alice active: cluster-admin /admin own; give-access payments/admin others devs; write staging/edit group devs; read /view group devs",
			"bob active: give-access payments/admin others devs; write staging/edit group devs; read /view group devs",
			"carol active: cluster-admin /admin others; write payments/edit own",
			"Group devs: give-access payments/admin others",
		}},
		"who is not certsync's; service accounts only if they are powerful": {world: func(w *reconciletest.World) {
			others(w, "a", "", "User", "mallory", "view")
			others(w, "b", "", "ServiceAccount", "reader", "view")
			others(w, "c", "", "ServiceAccount", "deployer", "admin")
			others(w, "d", "", "Group", "system:authenticated", "none")
		}, want: []string{
			"alice active: cluster-admin /admin own; write staging/edit group devs; read /view group devs",
			"bob active: write staging/edit group devs; read /view group devs",
			"carol active: write payments/edit own",
			"Group system:authenticated: none /none others",
			"ServiceAccount deployer: cluster-admin /admin others",
			"User mallory: read /view others",
		}},
		"somebody who left": {world: func(w *reconciletest.World) {
			w.RunID, w.Revision = "run-2", "beef"
			w.MustApply(reconciletest.Parse(w.T, withoutBob))
		}, text: withoutBob, want: []string{
			"alice active: cluster-admin /admin own; write staging/edit group devs; read /view group devs",
			"bob left: ",
			"carol active: write payments/edit own",
		}},
		"an earlier name of somebody": {world: func(w *reconciletest.World) {
			others(w, "a", "", "User", "bob", "view")
			w.Rules.Revoke = []string{"bob"}
			w.MustApply(reconciletest.Parse(w.T, team))
		}, want: []string{
			"alice active: cluster-admin /admin own; write staging/edit group devs; read /view group devs",
			"bob active: write staging/edit group devs; read /view group devs",
			"carol active: write payments/edit own",
			"User bob: read /view others",
		}},
		"a binding that somebody deleted, and one that somebody has come to": {world: func(w *reconciletest.World) {
			delete(w.Bindings, "ClusterRoleBinding certsync:test:user:alice:admin")
			b := w.Bindings["RoleBinding payments/certsync:test:user:carol:edit"]
			b.Subjects = append(b.Subjects, reconcile.UserSubject("bob"))
			w.Bindings[b.Object()] = b
		}, want: []string{
			"alice active: cluster-admin /admin own missing; write staging/edit group devs; read /view group devs",
			"bob active: write payments/edit own unwanted; write staging/edit group devs; read /view group devs",
			"carol active: write payments/edit own",
		}},
	}
	for sentence, tt := range tests {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			w.Rules.MaxRemovals = reconciletest.Limit(t, "100%")
			w.MustApply(reconciletest.Parse(t, team))
			w.Now = w.Now.Add(time.Hour)
			if tt.world != nil {
				tt.world(w)
			}
			if tt.text == "" {
				tt.text = team
			}
			r := reviewOf(w, reconciletest.Parse(t, tt.text))
			want, got := slices.Clone(tt.want), sketch(r)
			slices.Sort(want)
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if !r.Population.Agrees() {
				t.Errorf("the population does not add up: %+v", r.Population)
			}
		})
	}
}

// TestWhoLeft: the review says when somebody left, by which run and commit, and what the certificate may still do. A later run that
// clears what has expired does not change that.
func TestWhoLeft(t *testing.T) {
	w := newWorld(t)
	w.Rules.MaxRemovals = reconciletest.Limit(t, "100%")
	w.MustApply(reconciletest.Parse(t, team))
	others(w, "a", "", "Group", "devs", "view")
	w.Now, w.RunID, w.Revision = w.Now.Add(time.Hour), "run-2", "beef"
	at := w.Now
	w.MustApply(reconciletest.Parse(t, withoutBob))
	bob := reviewOf(w, reconciletest.Parse(t, withoutBob)).People[1]
	want := &Departure{at, reconcile.NotInInventory, "run-2", "beef"}
	if diff := cmp.Diff(want, bob.Left); diff != "" {
		t.Error(diff)
	}
	if got := bob.Residual(); len(got) != 1 || got[0].Binding != "ClusterRoleBinding a" || !bob.Gone {
		t.Errorf("%+v", got)
	}
	w.Now, w.RunID = w.Now.Add(30*24*time.Hour), "run-3"
	w.MustApply(reconciletest.Parse(t, withoutBob)) // purges the certificates
	bob = reviewOf(w, reconciletest.Parse(t, withoutBob)).People[1]
	if diff := cmp.Diff(want, bob.Left); diff != "" || len(bob.Certificates) > 0 {
		t.Error(diff, bob.Certificates)
	}
}

// TestRunsAreRemembered: the state lists the runs that changed access, and no renewals.
func TestRunsAreRemembered(t *testing.T) {
	w := newWorld(t)
	w.Rules.MaxRemovals = reconciletest.Limit(t, "100%")
	began := w.Now
	w.MustApply(reconciletest.Parse(t, team))
	w.Now, w.RunID, w.Revision = w.Now.Add(150*time.Hour), "run-2", "" // renews
	w.MustApply(reconciletest.Parse(t, team))
	w.Now, w.RunID, w.Revision = w.Now.Add(time.Hour), "run-3", "beef"
	w.MustApply(reconciletest.Parse(t, withoutBob))
	want := []reconcile.Run{{ID: "run-3", At: w.Now, By: "certsync", Revision: "beef"}, {ID: "run-1", At: began, By: "certsync", Revision: "c0ffee"}}
	if diff := cmp.Diff(want, reviewOf(w, reconciletest.Parse(t, withoutBob)).Runs); diff != "" {
		t.Error(diff)
	}
	for i := range 2 * reconcile.MaxRuns {
		w.RunID = fmt.Sprint("run-", i)
		w.MustApply(reconciletest.Parse(t, []string{team, withoutBob}[i%2]))
	}
	if n := len(w.State.Runs); n != reconcile.MaxRuns || w.State.Runs[n-1].ID != w.RunID {
		t.Errorf("%d runs, the last %+v", n, w.State.Runs[n-1])
	}
	for i := range 5 { // somebody makes drift, again and again
		w.RunID = fmt.Sprint("drift-", i)
		delete(w.Bindings, "ClusterRoleBinding certsync:test:user:alice:admin")
		w.MustApply(reconciletest.Parse(t, withoutBob))
		b := w.Bindings["RoleBinding payments/certsync:test:user:carol:edit"]
		b.Owner = ""
		w.Bindings[b.Object()] = b
		w.RunID = "label"
		w.MustApply(reconciletest.Parse(t, withoutBob))
	}
	runs := w.State.Runs
	if last, before := runs[len(runs)-1], runs[len(runs)-2]; last.ID != "drift-4" || !last.Drift || before.Drift {
		t.Errorf("%+v, %+v", before, last)
	}
}

// TestSinceAtLeast: since when somebody has a role, as far as certificates, bindings and the last run tell.
func TestSinceAtLeast(t *testing.T) {
	w := newWorld(t)
	began := w.Now
	w.MustApply(reconciletest.Parse(t, team))
	w.Now = w.Now.Add(24 * time.Hour)
	w.MustApply(reconciletest.Parse(t, strings.Replace(team, "payments: [edit]}", "payments: [edit], staging: [view]}", 1)))
	others(w, "a", "", "User", "carol", "view")
	r := reviewOf(w, reconciletest.Parse(t, strings.Replace(team, "payments: [edit]}", "payments: [edit], staging: [view]}", 1)))
	got := map[string]*time.Time{}
	for _, p := range r.People {
		for _, a := range p.Access {
			got[p.Name+" "+a.Namespace+"/"+a.Role+" "+string(a.Through)] = a.Since
		}
	}
	want := map[string]*time.Time{
		"alice /admin own": &began, "alice /view group": &began, "alice staging/edit group": &began, "bob /view group": &began, "bob staging/edit group": &began,
		"carol payments/edit own": &began, "carol staging/view own": &w.Now, "carol /view others": nil,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestDeterministic: the world hands out its bindings in map order. The digest covers everything but the time.
func TestDeterministic(t *testing.T) {
	w := newWorld(t)
	w.MustApply(reconciletest.Parse(t, team))
	for i := range 20 {
		others(w, fmt.Sprint("x", i), "", "User", fmt.Sprint("user", i%7), "view")
	}
	first := reviewOf(w, reconciletest.Parse(t, team))
	text, err := json.Marshal(first)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if again, _ := json.Marshal(reviewOf(w, reconciletest.Parse(t, team))); string(again) != string(text) {
			t.Fatal("the same world gives another review")
		}
	}
	w.Now = w.Now.Add(time.Minute)
	if later := reviewOf(w, reconciletest.Parse(t, team)); later.Digest != first.Digest || later.At.Equal(first.At) {
		t.Errorf("a minute later: %s, not %s", later.Digest, first.Digest)
	}
	others(w, "y", "", "User", "mallory", "view")
	if changed := reviewOf(w, reconciletest.Parse(t, team)); changed.Digest == first.Digest {
		t.Error("the digest does not cover a binding of others")
	}
	read, err := Parse(text)
	if diff := cmp.Diff(first, read); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

// TestManyBindingsOfOthers: a tenant who binds thousands of roles in one namespace makes no endless page, and hides nothing elsewhere.
func TestManyBindingsOfOthers(t *testing.T) {
	w := newWorld(t)
	w.MustApply(reconciletest.Parse(t, team))
	w.Spaces["a-team"] = true
	for i := range 1000 {
		others(w, fmt.Sprintf("same%04d", i), "a-team", "User", "carol", "admin")
		role := fmt.Sprintf("role%04d", i)
		w.RoleRules[reconcile.Role{Name: role}] = []reconcile.Rule{rule("create", reconcile.RBACGroup, "rolebindings")}
		others(w, role, "a-team", "User", "carol", role)
	}
	others(w, "z", "payments", "User", "carol", "admin")
	others(w, "wide", "", "User", "carol", "view")
	r := reviewOf(w, reconciletest.Parse(t, team))
	carol := r.People[2]
	has := func(namespace, role string) *Access {
		i := slices.IndexFunc(carol.Access, func(a Access) bool { return a.Namespace == namespace && a.Role == role && a.Through == Others })
		if i < 0 {
			t.Fatalf("%s in %q is not listed", role, namespace)
		}
		return &carol.Access[i]
	}
	if has("payments", "admin").Also != 0 || has("", "view").Also != 0 || has("a-team", "admin").Also != 999 {
		t.Errorf("%+v", carol.Access)
	}
	if len(carol.Access) != 1+access.MaxRoles+2 || carol.Unlisted != 1001-access.MaxRoles || !r.Population.Agrees() {
		t.Errorf("%d listed, %d not, %+v", len(carol.Access), carol.Unlisted, r.Population)
	}
}

// TestManySubjects: a tenant who binds a role to thousands of names hides nobody who is bound elsewhere, and the numbers add up.
func TestManySubjects(t *testing.T) {
	w := newWorld(t)
	w.MustApply(reconciletest.Parse(t, team))
	others(w, "many", "staging", "User", "nobody", "admin")
	b := w.Bindings["RoleBinding staging/many"]
	for i := range 2 * maxSubjects {
		b.Subjects = append(b.Subjects, reconcile.UserSubject(fmt.Sprint("aaa", i)))
	}
	w.Bindings[b.Object()] = b
	others(w, "wide", "", "User", "zoe", "view")
	others(w, "zed", "payments", "User", "zed", "admin")
	r := reviewOf(w, reconciletest.Parse(t, team))
	for _, name := range []string{"zoe", "zed"} {
		if !slices.ContainsFunc(r.Others, func(o Other) bool { return o.Name == name }) {
			t.Errorf("%s is not listed", name)
		}
	}
	if len(r.Others) != maxSubjects+2 || r.MoreOthers != maxSubjects+1 || !r.Population.Agrees() {
		t.Errorf("%d listed, %d not, %+v", len(r.Others), r.MoreOthers, r.Population)
	}
}

// TestPlanted: subjects whom somebody put into a binding with a name of certsync's form are in the review, whoever they are.
func TestPlanted(t *testing.T) {
	w := newWorld(t)
	w.MustApply(reconciletest.Parse(t, team))
	b := reconcile.NewBinding("test", reconcile.Grant{For: reconcile.ForGroup, Subject: "devs", Namespace: "payments", Role: "admin", Part: 1}, []string{"mallory", "bob"})
	b.Subjects = append(b.Subjects, reconcile.Subject{Kind: "Group", APIGroup: reconcile.RBACGroup, Name: "system:authenticated"})
	w.Plant(b)
	wide := reconcile.NewBinding("test", reconcile.Grant{For: reconcile.ForUser, Subject: "alice", Role: "admin2", Part: 1}, nil)
	wide.Subjects = []reconcile.Subject{{Kind: "Group", APIGroup: reconcile.RBACGroup, Name: "system:unauthenticated"}}
	w.Plant(wide)
	r := reviewOf(w, reconciletest.Parse(t, team))
	want := []string{
		"Group system:authenticated: give-access payments/admin others unwanted", "Group system:unauthenticated: none /admin2 others unwanted",
		"User mallory: give-access payments/admin others unwanted",
	}
	if diff := cmp.Diff(want, sketch(r)[3:]); diff != "" || !r.Population.Agrees() {
		t.Error(diff, r.Population)
	}
	r.Others = r.Others[:2]
	s := survey{index.New(reconciletest.Parse(t, team), observe(w), reconcile.Rules{}), map[reconcile.Role]reconcile.Role{}}
	if s.population(r).Agrees() {
		t.Error("a review that lacks somebody adds up")
	}
}

// TestKubernetesOwn: only bindings that Kubernetes makes itself count as its own. A role bound to everybody, or under a name of
// Kubernetes' form, is not hidden there.
func TestKubernetesOwn(t *testing.T) {
	w := newWorld(t)
	w.MustApply(reconciletest.Parse(t, team))
	others(w, "system:discovery", "", "Group", "system:authenticated", "system:discovery")
	others(w, "cluster-admin", "", "Group", "system:masters", "cluster-admin")
	others(w, "open", "", "Group", "system:unauthenticated", "admin")
	others(w, "x", "", "User", "system:serviceaccount:payments:x", "admin")
	others(w, "admin", "payments", "User", "system:kube-proxy", "admin")
	own := map[string]bool{}
	for _, o := range reviewOf(w, reconciletest.Parse(t, team)).Others {
		own[o.Name] = o.Kubernetes
		if everyone := o.Name == "system:authenticated" || o.Name == "system:unauthenticated"; o.Everybody != everyone {
			t.Errorf("%+v", o)
		}
	}
	want := map[string]bool{"system:authenticated": true, "system:masters": true, "system:unauthenticated": false, "system:serviceaccount:payments:x": false, "system:kube-proxy": false}
	if diff := cmp.Diff(want, own); diff != "" {
		t.Error(diff)
	}
}

// TestLostRecordOfALeaver: who spoils a leaver's ledger record, or deletes it, does not take them out of those who left.
func TestLostRecordOfALeaver(t *testing.T) {
	for sentence, spoil := range map[string]func(w *reconciletest.World){
		"deleted": func(w *reconciletest.World) { delete(w.Ledger, "bob") },
		"of another": func(w *reconciletest.World) {
			w.Ledger["bob"].Versions[w.Ledger["bob"].Current].Record = w.Ledger["carol"].Versions[1].Record
		},
	} {
		w := newWorld(t)
		w.Rules.MaxRemovals = reconciletest.Limit(t, "100%")
		w.MustApply(reconciletest.Parse(t, team))
		w.MustApply(reconciletest.Parse(t, withoutBob))
		spoil(w)
		r := reviewOf(w, reconciletest.Parse(t, withoutBob))
		if bob := r.People[1]; bob.Name != "bob" || !bob.Gone || bob.MayLiveUntil == nil || !r.Population.Agrees() {
			t.Errorf("%s: %+v", sentence, bob)
		}
	}
}
