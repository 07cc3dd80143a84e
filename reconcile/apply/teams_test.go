package apply_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// parseTeam is an inventory of alice, and of team ops with these users in its file.
func parseTeam(t *testing.T, users string) *inventory.Inventory {
	t.Helper()
	root := "apiVersion: certsync.dev/v1\nkind: Inventory\nowner: test\ngroups: [{name: devs, clusterRoles: [view]}]\n" +
		"users: [{name: alice}]\nteams: [{name: ops, file: ops.yaml, groups: [devs]}]\n"
	file := "apiVersion: certsync.dev/v1\nkind: TeamInventory\nteam: ops\nusers: " + users + "\n"
	inv, err := inventory.Parse("users.yaml", []byte(root), fstest.MapFS{"ops.yaml": {Data: []byte(file)}})
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

// TestTeamTakesNobodysName: a team has the groups that the inventory gives it. By naming an administrator it would get a
// certificate for all that they may do.
func TestTeamTakesNobodysName(t *testing.T) {
	serve := func(w *reconciletest.World, user string) {
		w.Bindings["ClusterRoleBinding admins"] = reconcile.Binding{Kind: reconcile.ClusterRoleBinding, Name: "admins",
			RoleRef: reconcile.RoleRef{Kind: "ClusterRole", Name: "cluster-admin"}, Subjects: []reconcile.Subject{reconcile.UserSubject(user)}}
	}
	w := reconciletest.NewWorld(t)
	w.MustApply(parseTeam(t, "[{name: bob, groups: [devs]}]"))
	serve(w, "root")
	taken := parseTeam(t, "[{name: bob, groups: [devs]}, {name: root, groups: [devs]}]")

	p := w.Plan(taken)
	if diff := cmp.Diff([]string{"issue root [new-user] held"}, reconciletest.Lines(p)); diff != "" {
		t.Fatal(diff)
	}
	for _, part := range []string{"team ops", "ClusterRoleBinding admins", `ClusterRole "cluster-admin" cluster-wide`, "to the main inventory"} {
		if held := p.Steps[0].Held; !strings.Contains(held, part) {
			t.Errorf("%q does not say %q", held, part)
		}
	}
	w.Rules = reconcile.Rules{Adopt: []string{"root"}}
	o, err := w.Apply(taken)
	if wrote := slices.DeleteFunc(w.Writes(), func(c string) bool { return c == "write state" }); err != nil || o.Failed() != 1 || len(wrote) > 0 {
		t.Errorf("apply: %v, %q, wrote %q", err, reconciletest.Results(o), wrote)
	}
	w.Rules = reconcile.Rules{}

	// Whoever writes the inventory may say that it is the same person, who moves to the team's file then.
	itself := parseTeam(t, "[{name: bob, groups: [devs]}]")
	itself.Users = append(itself.Users, inventory.User{Name: "root", Groups: []string{"devs"}, Expiration: itself.Defaults.Expiration})
	w.MustApply(itself)
	if diff := cmp.Diff([]string{}, reconciletest.Lines(w.Plan(taken))); diff != "" {
		t.Errorf("after the inventory has named them: %s", diff)
	}

	// Nor does it matter to somebody who was there before.
	serve(w, "bob")
	if diff := cmp.Diff([]string{}, reconciletest.Lines(w.Plan(taken))); diff != "" {
		t.Errorf("bob: %s", diff)
	}
}
