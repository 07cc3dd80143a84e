package plan_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestWhyOfSteps: a certificate has the user's reason, a binding the grant's, or else the user's own.
func TestWhyOfSteps(t *testing.T) {
	w := reconciletest.NewWorld(t)
	text := `
groups: [{name: devs, clusterRoles: [{name: view, ticket: G-1}, edit]}]
users:
  - {name: alice, groups: [devs], reason: on call, ticket: U-1, clusterRoles: [admin, {name: view, reason: nights}]}
  - {name: bob, from: 2026-04-01, reason: later, clusterRoles: [{name: view, from: 2026-05-01, ticket: B-2}]}
`
	p := w.Plan(reconciletest.Parse(t, text))
	var got []string
	for _, s := range p.Steps {
		line := string(s.Action) + " " + s.Object() + ":"
		if s.Why != nil {
			line += " " + s.Why.Reason + "/" + s.Why.Ticket
		}
		got = append(got, strings.ReplaceAll(line, "ClusterRoleBinding certsync:test:", ""))
	}
	slices.Sort(got)
	want := []string{"bind group:devs:edit:", "bind group:devs:view: /G-1", "bind user:alice:admin: on call/U-1", "bind user:alice:view: nights/", "issue : on call/U-1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, n := range p.Notes {
		if n.Kind == reconcile.Begins && (n.Why == nil || n.Why.Reason+n.Why.Ticket != map[bool]string{true: "later", false: "B-2"}[n.Message == "access begins"]) {
			t.Errorf("%+v", n)
		}
	}
	other := w.Plan(reconciletest.Parse(t, strings.Replace(text, "on call", "on duty", 1)))
	if other.Digest() == p.Digest() {
		t.Error("the reason is not in the digest")
	}
	w.MustApply(reconciletest.Parse(t, text))
	if p := w.Plan(reconciletest.Parse(t, strings.Replace(text, "on call", "on duty", 1))); len(p.Steps) > 0 || !p.RecordState {
		t.Errorf("another reason takes steps: %q", reconciletest.Lines(p))
	}
}
