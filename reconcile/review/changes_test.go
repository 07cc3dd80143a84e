package review

import (
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
	for text, want := range map[string]string{"": "unexpected end", "{}": "formatVersion", `{"formatVersion":"1"}`: "no owner", `{"formatVersion":"1","owner":"x"} `: "no time"} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
