package plan_test

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

// from is the team, in which bob begins at a time.
func from(at string) string {
	return strings.Replace(reconciletest.Team, "name: bob,", "name: bob, from: '"+at+"',", 1)
}

// begins lists the notes on what begins later.
func begins(p reconcile.Plan) []string {
	var all []string
	for _, n := range p.Notes {
		if n.Kind == reconcile.Begins {
			text := n.User + n.Group + ": " + n.Message
			if n.From != nil {
				text += " " + reconcile.TimeText(*n.From)
			}
			all = append(all, text+strings.Join(n.Power, ";"))
		}
	}
	return all
}

// TestFromOfUser: before the time a user has nothing, and from it on the run under the same inventory gives all. The edges are those of
// the day in UTC.
func TestFromOfUser(t *testing.T) {
	midnight := time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
	for _, at := range []string{"2026-03-04", "2026-03-04T00:00:00Z", "2026-03-04T02:00:00+02:00"} {
		t.Run(at, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			inv := reconciletest.Parse(t, from(at))
			w.MustApply(inv)
			if got := w.Served("bob"); got != nil || w.Users["bob"] != nil || w.Ledger["bob"] != nil {
				t.Errorf("before the time, bob has %q, a credential %t, a record %t", got, w.Users["bob"] != nil, w.Ledger["bob"] != nil)
			}
			w.Now = midnight.Add(-time.Second)
			p := w.Plan(inv)
			if diff := cmp.Diff([]string{}, reconciletest.Lines(p)); diff != "" || p.Changes() {
				t.Errorf("a second before: %s", diff)
			}
			if diff := cmp.Diff([]string{"bob: access begins 2026-03-04T00:00:00Z"}, begins(p)); diff != "" {
				t.Error(diff)
			}
			w.Now = midnight
			want := []string{
				"issue bob [from-reached]",
				"update devs ClusterRoleBinding group:devs:view [from-reached] +bob",
				"update devs RoleBinding staging/group:devs:edit [from-reached] +bob",
			}
			w.Rules.Drift = true // as the job does
			p = w.Plan(inv)
			if diff := cmp.Diff(want, reconciletest.Lines(p)); diff != "" || len(p.Refusals()) > 0 || len(begins(p)) > 0 {
				t.Errorf("at the time: %s, %q", diff, p.Refusals())
			}
			w.MustApply(inv)
			if got := len(w.Served("bob")); got != 2 || w.Plan(inv).Changes() {
				t.Errorf("bob is in %d bindings, and there is left %q", got, reconciletest.Lines(w.Plan(inv)))
			}
		})
	}
}

// TestFromOfGrant: the same of grants, whose users have a certificate already.
func TestFromOfGrant(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.RoleRules = map[reconcile.Role][]reconcile.Rule{{Name: "edit"}: {}, {Name: "admin"}: {}}
	inv := reconciletest.Parse(t, `
groups:
  - {name: devs, clusterRoles: [view, {name: edit, from: 2026-03-04}]}
users:
  - {name: alice, groups: [devs], namespaces: {staging: [{name: admin, from: 2026-03-04T00:00:00Z, until: 2026-03-04}]}}
`)
	w.MustApply(inv)
	w.Now = time.Date(2026, 3, 3, 23, 59, 59, 0, time.UTC)
	p := w.Plan(inv)
	if diff := cmp.Diff([]string{"devs: ClusterRole \"edit\" cluster-wide begins 2026-03-04T00:00:00Z", "alice: ClusterRole \"admin\" in namespace \"staging\" begins 2026-03-04T00:00:00Z"}, begins(p)); diff != "" || p.Changes() {
		t.Error(diff, reconciletest.Lines(p))
	}
	if got := reconciletest.Kinds(p); slices.Contains(got, "until-soon alice") {
		t.Errorf("a grant that has not begun ends soon: %q", got)
	}
	w.Now = w.Now.Add(time.Second)
	want := []string{"bind devs ClusterRoleBinding group:devs:edit [from-reached] +alice", "bind alice RoleBinding staging/user:alice:admin [from-reached]"}
	if diff := cmp.Diff(want, sorted(reconciletest.Lines(w.Plan(inv)))); diff != "" {
		t.Error(diff)
	}
	w.MustApply(inv)
	w.Now = w.Now.Add(24 * time.Hour)
	if diff := cmp.Diff([]string{"unbind alice RoleBinding staging/user:alice:admin [until-passed]"}, reconciletest.Lines(w.Plan(inv))); diff != "" {
		t.Error(diff)
	}
}

func sorted(lines []string) []string {
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(b[strings.Index(b, " "):], a[strings.Index(a, " "):]) })
	return lines
}

// TestFromReachedOnce: after the first run from then on, what is missing has drifted. Under another inventory it is a change.
func TestFromReachedOnce(t *testing.T) {
	w := reconciletest.NewWorld(t)
	text := "users: [{name: alice, clusterRoles: [view, {name: edit, from: 2026-03-04}]}]"
	w.MustApply(reconciletest.Parse(t, text))
	w.Now = time.Date(2026, 3, 4, 1, 0, 0, 0, time.UTC)
	if diff := cmp.Diff([]string{"bind alice ClusterRoleBinding user:alice:edit [roles-changed]"}, reconciletest.Lines(w.Plan(reconciletest.Parse(t, text+" # \ngroups: [{name: g}]")))); diff != "" {
		t.Error("another inventory:", diff)
	}
	w.MustApply(reconciletest.Parse(t, text))
	delete(w.Bindings, "ClusterRoleBinding certsync:test:user:alice:edit")
	if diff := cmp.Diff([]string{"bind alice ClusterRoleBinding user:alice:edit [missing]"}, reconciletest.Lines(w.Plan(reconciletest.Parse(t, text)))); diff != "" {
		t.Error("somebody deletes it:", diff)
	}
}

// TestFromMovedAhead: who has access and begins later loses it at once, which guards count. They come back as the same person.
func TestFromMovedAhead(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	later := reconciletest.Parse(t, from("2026-03-04"))
	w.Rules.MaxRemovals = reconciletest.Limit(t, "0")
	if diff := cmp.Diff([]string{"would remove 1 of 3 users, more than 0 (--max-removals)"}, w.Plan(later).Refusals()); diff != "" {
		t.Error(diff)
	}
	w.Rules = reconcile.Rules{Protect: []string{"bob"}}
	if got := w.Plan(later).Refusals(); len(got) != 1 || !strings.Contains(got[0], "protected") {
		t.Errorf("%q", got)
	}
	w.Rules = reconcile.Rules{}
	want := []string{
		"remove bob [from-ahead]",
		"update devs ClusterRoleBinding group:devs:view [from-ahead] -bob",
		"update devs RoleBinding staging/group:devs:edit [from-ahead] -bob",
	}
	got := reconciletest.Lines(w.Plan(later))
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	w.MustApply(later)
	if w.Served("bob") != nil || w.Users["bob"] != nil {
		t.Errorf("bob has %q and %+v", w.Served("bob"), w.Users["bob"])
	}
	w.Rules.MaxRemovals = reconciletest.Limit(t, "0")
	if p := w.Plan(later); len(p.Steps) > 0 || len(p.Refusals()) > 0 {
		t.Errorf("then: %q, %q", reconciletest.Lines(p), p.Refusals())
	}
	w.Now = time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
	w.MustApply(later)
	if len(w.Served("bob")) != 2 || w.Served("bob#2") != nil {
		t.Errorf("bob has %q, and in the next epoch %q", w.Served("bob"), w.Served("bob#2"))
	}
}

// TestFromOfGrantMovedAhead: a grant that moves is a loss as any other.
func TestFromOfGrantMovedAhead(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	later := reconciletest.Parse(t, strings.Replace(strings.Replace(reconciletest.Team, "[admin]", "[{name: admin, from: 2026-03-04}]", 1), "clusterRoles: [view]", "clusterRoles: [{name: view, from: 2026-03-04}]", 1))
	want := []string{"unbind alice ClusterRoleBinding user:alice:admin [from-ahead]", "unbind devs ClusterRoleBinding group:devs:view [from-ahead] -alice -bob"}
	if got := w.Plan(later).Refusals(); len(got) != 2 {
		t.Errorf("two people lose two bindings: %q", got)
	}
	w.Rules.MaxRemovals = reconciletest.Limit(t, "100%")
	got := reconciletest.Lines(w.Plan(later))
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestFromAheadAndEpochs: revocations of somebody who has not begun. Without a certificate there is nothing to revoke. With one, the
// next epoch begins at once, since the name will get access again.
func TestFromAheadAndEpochs(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.Rules.Revoke = []string{"bob"}
	later := reconciletest.Parse(t, from("2026-03-04"))
	if p := w.Plan(later); p.State.Names["bob"].Epoch > 1 {
		t.Errorf("%+v", p.State.Names["bob"])
	}
	w.Rules = reconcile.Rules{}
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	w.MustApply(later)
	if p := w.Plan(later); p.Changes() {
		t.Errorf("left: %q", reconciletest.Lines(p))
	}
	w.Rules.Revoke = []string{"bob"}
	if p := w.Plan(later); !p.HasWork() || p.State.Names["bob"].Epoch != 2 || len(p.Steps) > 0 {
		t.Errorf("%q, %+v", reconciletest.Lines(p), p.State.Names["bob"])
	}
	w.MustApply(later)
	w.Rules = reconcile.Rules{}
	w.Now = time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
	w.MustApply(later)
	if w.Served("bob") != nil || len(w.Served("bob#2")) != 2 {
		t.Errorf("bob has %q, bob#2 %q", w.Served("bob"), w.Served("bob#2"))
	}
}

// TestRenameAhead: the old name of somebody who begins later keeps nothing, and that is a removal.
func TestRenameAhead(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	later := reconciletest.Parse(t, strings.Replace(reconciletest.Team, "name: bob,", "name: robert, previously: [bob], from: 2026-03-04,", 1))
	w.Rules.MaxRemovals = reconciletest.Limit(t, "0")
	if got := w.Plan(later).Refusals(); len(got) != 1 {
		t.Errorf("%q", got)
	}
	w.Rules = reconcile.Rules{}
	if got := reconciletest.Lines(w.Plan(later)); !slices.Contains(got, "remove bob [from-ahead]") {
		t.Errorf("%q", got)
	}
	w.MustApply(later)
	if w.Served("bob") != nil || w.Served("robert") != nil {
		t.Errorf("bob has %q, robert %q", w.Served("bob"), w.Served("robert"))
	}
	w.Now = time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
	w.MustApply(later)
	if w.Served("bob") != nil || len(w.Served("robert")) != 2 {
		t.Errorf("bob has %q, robert %q", w.Served("bob"), w.Served("robert"))
	}
}

// TestManyBeginnings: the next ones are told, and the others are counted.
func TestManyBeginnings(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.Roles["cluster-admin"] = true
	var b strings.Builder
	b.WriteString("users:\n")
	for i := range 40 {
		fmt.Fprintf(&b, "  - {name: user%02d, from: '%s', clusterRoles: [cluster-admin, {name: view, from: 2026-05-01}]}\n", i, w.Now.Add(time.Duration(40-i)*time.Hour).Format(time.RFC3339))
	}
	notes := begins(w.Plan(reconciletest.Parse(t, b.String())))
	if len(notes) != 21 || notes[0] != ": and 60 more that begin later" || !strings.HasPrefix(notes[1], "user20: access begins") || !strings.HasPrefix(notes[20], "user39: access begins") {
		t.Errorf("%q", notes)
	}
}

// TestShortTerm: a term that is too short for a certificate is said when it begins.
func TestShortTerm(t *testing.T) {
	w := reconciletest.NewWorld(t)
	inv := reconciletest.Parse(t, "users: [{name: alice, from: '2026-03-01T13:00:00Z', until: '2026-03-01T13:05:00Z'}]")
	if got := reconciletest.Kinds(w.Plan(inv)); slices.Contains(got, "until-soon alice") || slices.Contains(got, "too-short alice") || !slices.Contains(got, "begins alice") {
		t.Errorf("before: %q", got)
	}
	w.Now = w.Now.Add(time.Hour)
	if got := reconciletest.Kinds(w.Plan(inv)); !slices.Contains(got, "too-short alice") {
		t.Errorf("at the time: %q", got)
	}
}
