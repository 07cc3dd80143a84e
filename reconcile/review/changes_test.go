package review

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

func changeLines(list []Change) []string {
	lines := []string{}
	for _, c := range list {
		lines = append(lines, fmt.Sprintf("%s %s %s/%s by %s %s %s", c.Kind, c.Name, c.Access.Namespace, c.Access.Role, c.By, c.Run, c.Revision))
	}
	return lines
}

// TestCompare: what has changed since an earlier review, by which run and commit, and what no run of certsync has done.
func TestCompare(t *testing.T) {
	w := newWorld(t)
	w.Rules.MaxRemovals = reconciletest.Limit(t, "100%")
	w.MustApply(reconciletest.Parse(t, team))
	others(w, "a", "", "User", "mallory", "view")
	earlier := reviewOf(w, reconciletest.Parse(t, team))

	w.Now, w.RunID, w.Revision = w.Now.Add(time.Hour), "run-2", "beef"
	w.MustApply(reconciletest.Parse(t, withoutBob))
	w.Now, w.RunID, w.Revision = w.Now.Add(time.Hour), "run-3", "cafe"
	now := reconciletest.Parse(t, strings.Replace(withoutBob, "users:", "users:\n  - {name: dave, namespaces: {payments: [view]}}", 1))
	w.MustApply(now)
	w.Now = w.Now.Add(time.Hour)
	delete(w.Bindings, "ClusterRoleBinding a")
	others(w, "b", "payments", "User", "eve", "edit")
	w.RoleRules[reconcile.Role{Name: "view"}] = append(w.RoleRules[reconcile.Role{Name: "view"}], rule("get", "", "secrets"))
	b := w.Bindings["RoleBinding payments/certsync:test:user:carol:edit"]
	b.Subjects = append(b.Subjects, reconcile.UserSubject("alice"))
	w.Bindings[b.Object()] = b

	r := reviewOf(w, now)
	before := r.Digest
	if err := r.Compare(earlier); err != nil {
		t.Fatal(err)
	}
	c := r.Changes
	if diff := cmp.Diff([]string{"dave"}, c.Came); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"bob"}, c.Left); diff != "" {
		t.Error(diff)
	}
	gained, lost := changeLines(c.Gained), changeLines(c.Lost)
	if diff := cmp.Diff([]string{
		"Person alice payments/edit by not-certsync  ", "User eve payments/edit by not-certsync  ", "Person dave payments/view by certsync run-3 cafe",
	}, gained); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{
		"User mallory /view by not-certsync  ", "Person bob staging/edit by certsync run-2 beef", "Person bob /view by certsync run-2 beef",
	}, lost); diff != "" {
		t.Error(diff)
	}
	if len(c.Stronger) != 1 || c.Stronger[0].Name != "view" || len(c.Stronger[0].Power) != 1 || len(c.Stronger[0].Rules) != 1 || c.Stronger[0].Holders != 2 {
		t.Errorf("%+v", c.Stronger)
	}
	if ids := []string{c.Runs[0].ID, c.Runs[1].ID}; len(c.Runs) != 2 || !slices.Equal(ids, []string{"run-3", "run-2"}) || c.MoreRuns {
		t.Errorf("%+v", c.Runs)
	}
	if r.Digest == before {
		t.Error("the digest does not cover the changes")
	}
}

// TestCompareKeepsSince: access that an earlier review had exists since then at least.
func TestCompareKeepsSince(t *testing.T) {
	w := newWorld(t)
	w.MustApply(reconciletest.Parse(t, team))
	others(w, "a", "", "User", "carol", "view")
	earlier := reviewOf(w, reconciletest.Parse(t, team))
	w.Now = w.Now.Add(24 * time.Hour)
	r := reviewOf(w, reconciletest.Parse(t, team))
	if err := r.Compare(earlier); err != nil {
		t.Fatal(err)
	}
	for _, a := range r.People[2].Access {
		if a.Through == Others && (a.Since == nil || !a.Since.Equal(earlier.At)) {
			t.Errorf("%+v", a)
		}
	}
	if len(r.Changes.Gained)+len(r.Changes.Lost)+len(r.Changes.Stronger)+len(r.Changes.Runs) > 0 {
		t.Errorf("%+v", r.Changes)
	}
}

// TestCompareRefuses: reviews of something else are not compared.
func TestCompareRefuses(t *testing.T) {
	w := newWorld(t)
	w.MustApply(reconciletest.Parse(t, team))
	for sentence, change := range map[string]func(*Review){
		"owner":      func(r *Review) { r.Owner = "other" },
		"cluster":    func(r *Review) { r.ClusterUID = "other" },
		"not before": func(r *Review) { r.At = r.At.Add(time.Hour) },
	} {
		earlier := reviewOf(w, reconciletest.Parse(t, team))
		change(&earlier)
		r := reviewOf(w, reconciletest.Parse(t, team))
		if err := r.Compare(earlier); err == nil || !strings.Contains(err.Error(), sentence) {
			t.Errorf("%s: %v", sentence, err)
		}
	}
	good, err := json.Marshal(reviewOf(w, reconciletest.Parse(t, team)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Parse(append(good, '\n')); err != nil {
		t.Error(err)
	}
	changed := strings.Replace(string(good), `"bob"`, `"rob"`, 1)
	for text, want := range map[string]string{"": "unexpected end", "{}": "formatVersion", `{"formatVersion":"1"}`: "no owner", `{"formatVersion":"1","owner":"x"} `: "no time", changed: "does not fit its digest"} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestGroupGain: when somebody comes to a group whose binding is old, the run that made the binding did not do it.
func TestGroupGain(t *testing.T) {
	w := newWorld(t)
	earlier := func() Review {
		w.MustApply(reconciletest.Parse(t, "groups: [{name: devs}]\nusers: [{name: alice, groups: [devs]}]"))
		return reviewOf(w, reconciletest.Parse(t, "groups: [{name: devs}]\nusers: [{name: alice, groups: [devs]}]"))
	}()
	w.Now, w.RunID = w.Now.Add(time.Hour), "run-2"
	w.MustApply(reconciletest.Parse(t, "groups: [{name: devs, clusterRoles: [view]}]\nusers: [{name: alice, groups: [devs]}]"))
	w.Now, w.RunID = w.Now.Add(time.Hour), "run-3"
	now := reconciletest.Parse(t, "groups: [{name: devs, clusterRoles: [view]}]\nusers: [{name: alice, groups: [devs]}, {name: bob, groups: [devs], clusterRoles: [edit]}]")
	w.MustApply(now)
	r := reviewOf(w, now)
	if err := r.Compare(earlier); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"Person alice /view by certsync  ", "Person bob /edit by certsync run-3 c0ffee", "Person bob /view by certsync  "}, slices.Sorted(slices.Values(changeLines(r.Changes.Gained)))); diff != "" {
		t.Error(diff)
	}
}

// TestOtherWhoJoins: a binding of others that named a user before they came to the inventory is no change.
func TestOtherWhoJoins(t *testing.T) {
	w := newWorld(t)
	w.MustApply(reconciletest.Parse(t, team))
	others(w, "a", "payments", "User", "dave", "view")
	earlier := reviewOf(w, reconciletest.Parse(t, team))
	w.Now = w.Now.Add(time.Hour)
	now := reconciletest.Parse(t, team+"  - {name: dave}\n")
	w.MustApply(now)
	r := reviewOf(w, now)
	if err := r.Compare(earlier); err != nil {
		t.Fatal(err)
	}
	if len(r.Changes.Gained)+len(r.Changes.Lost) > 0 {
		t.Errorf("gained %q, lost %q", changeLines(r.Changes.Gained), changeLines(r.Changes.Lost))
	}
}

// TestWeakerRole: a role that lost rules did not become stronger, and one that lost a restriction to single objects did.
func TestWeakerRole(t *testing.T) {
	role := reconcile.Role{Name: "view"}
	one := reconcile.Rule{Verbs: []string{"get"}, Groups: []string{""}, Resources: []string{"pods"}, Names: []string{"web"}}
	all := reconcile.Rule{Verbs: []string{"get"}, Groups: []string{""}, Resources: []string{"pods"}}
	more := reconcile.Rule{Verbs: []string{"get", "list"}, Groups: []string{""}, Resources: []string{"pods", "configmaps"}}
	for sentence, c := range map[string]struct {
		before, now reconcile.Rule
		stronger    bool
	}{
		"fewer verbs and resources": {more, all, false},
		"more of them":              {all, more, true},
		"single objects only":       {all, one, false},
		"not single ones any more":  {one, all, true},
	} {
		w := newWorld(t)
		w.RoleRules[role] = []reconcile.Rule{c.before}
		w.MustApply(reconciletest.Parse(t, team))
		earlier := reviewOf(w, reconciletest.Parse(t, team))
		w.Now, w.RoleRules[role] = w.Now.Add(time.Hour), []reconcile.Rule{c.now}
		r := reviewOf(w, reconciletest.Parse(t, team))
		if err := r.Compare(earlier); err != nil {
			t.Fatal(err)
		}
		if got := len(r.Changes.Stronger) > 0; got != c.stronger {
			t.Errorf("%s: %+v", sentence, r.Changes.Stronger)
		}
	}
}
