package plan_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/plan"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

func TestFirstPlan(t *testing.T) {
	w := reconciletest.NewWorld(t)
	p := w.Plan(reconciletest.Parse(t, reconciletest.Team))
	want := []string{
		"issue alice [new-user]", "issue bob [new-user]", "issue carol [new-user]",
		"bind devs ClusterRoleBinding group:devs:view [roles-changed] +alice +bob",
		"bind devs RoleBinding staging/group:devs:edit [roles-changed] +alice +bob",
		"bind alice ClusterRoleBinding user:alice:admin [new-user]",
		"bind carol RoleBinding payments/user:carol:edit [new-user]",
	}
	if diff := cmp.Diff(want, reconciletest.Lines(p)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]int{"issue": 3, "bind": 4, "unchanged": 0}, p.Summary()); diff != "" {
		t.Error(diff)
	}
}

// TestParts: members stay in their part, new ones go to the first with room, and no part passes MaxSubjects.
func TestParts(t *testing.T) {
	w := reconciletest.NewWorld(t)
	members := func(numbers ...int) string {
		text := "defaults: {renewBefore: 10%}\ngroups: [{name: devs, clusterRoles: [view]}]\nusers:\n"
		for _, n := range numbers {
			text += fmt.Sprintf("  - {name: u%04d, groups: [devs]}\n", n)
		}
		return text
	}
	var all []int
	for n := range 2100 {
		all = append(all, n)
	}
	w.MustApply(reconciletest.Parse(t, members(all...)))
	size := func(suffix string) int {
		return len(w.Bindings["ClusterRoleBinding certsync:test:group:devs:view"+suffix].Subjects)
	}
	if size("") != 1000 || size("#2") != 1000 || size("#3") != 100 {
		t.Fatalf("parts of %d, %d and %d", size(""), size("#2"), size("#3"))
	}
	got := reconciletest.Lines(w.Plan(reconciletest.Parse(t, members(append(slices.Delete(slices.Clone(all), 1500, 1501), 3000)...))))
	want := []string{
		"remove u1500 [not-in-inventory]",
		"update devs ClusterRoleBinding group:devs:view#2 [members-changed] -u1500",
		"issue u3000 [new-user]",
		"update devs ClusterRoleBinding group:devs:view#2 [members-changed] +u3000",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestSameBytes: the order of what was observed and of the inventory changes nothing.
func TestSameBytes(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	inv := reconciletest.Parse(t, strings.Replace(reconciletest.Team, "name: bob,", "name: dan,", 1))
	o, err := reconcile.Observe(t.Context(), "test", w, w, func() time.Time { return w.Now })
	if err != nil {
		t.Fatal(err)
	}
	first, _ := json.Marshal(plan.Diff(inv, o, reconcile.Rules{}))
	for range 20 {
		rand.Shuffle(len(o.Bindings), func(i, j int) { o.Bindings[i], o.Bindings[j] = o.Bindings[j], o.Bindings[i] })
		rand.Shuffle(len(inv.Users), func(i, j int) { inv.Users[i], inv.Users[j] = inv.Users[j], inv.Users[i] })
		again, _ := json.Marshal(plan.Diff(inv, o, reconcile.Rules{}))
		if diff := cmp.Diff(string(first), string(again)); diff != "" {
			t.Fatal(diff)
		}
	}
}

// TestDigest: what time alone decides is not in it, what a reviewer agreed to is.
func TestDigest(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	dan := reconciletest.Parse(t, reconciletest.Team+"  - {name: dan}\n")
	before := w.Plan(dan)
	w.Now = w.Now.Add(167 * time.Hour)
	if after := w.Plan(dan); after.Digest() != before.Digest() || len(after.Steps) == len(before.Steps) {
		t.Errorf("renewals changed the digest:\n%q\n%q", reconciletest.Lines(before), reconciletest.Lines(after))
	}
	w.Bindings["ClusterRoleBinding y"] = reconcile.Binding{Kind: reconcile.ClusterRoleBinding, Name: "y", RoleRef: reconcile.RoleRef{Kind: "ClusterRole", Name: "admin"}, Subjects: []reconcile.Subject{reconcile.UserSubject("dan")}}
	if w.Plan(dan).Digest() == before.Digest() {
		t.Error("access that dan inherits is not in the digest")
	}
}
