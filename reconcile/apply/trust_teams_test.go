package apply_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestTeamNamesAnAdministrator: a binding that the team's lead plants for the name in their namespace changes nothing.
func TestTeamNamesAnAdministrator(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, "users: [{name: alice}]"))
	w.Plant(reconcile.Binding{Kind: reconcile.ClusterRoleBinding, Name: "by-hand", RoleRef: reconcile.RoleRef{Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects: []reconcile.Subject{reconcile.UserSubject("administrator")}})
	tenantBinding(w, reconcile.Grant{For: reconcile.ForUser, Subject: "administrator", Namespace: "staging", Role: "view"}, "administrator")
	inv := reconciletest.Parse(t, "users: [{name: alice}, {name: administrator}]")
	inv.Users[1].Team = "payments"
	for range 2 {
		o, err := w.Apply(inv)
		if err != nil || len(o.Ended(reconcile.Held)) != 1 || !strings.Contains(o.Ended(reconcile.Held)[0].Error, "already gives") || w.Users["administrator"] != nil {
			t.Errorf("%v, %q", err, reconciletest.Results(o))
		}
	}
}

// TestTeamNamesAFormerAdministrator: nor does it help that the name was certsync's once, and the ledger still has its line.
func TestTeamNamesAFormerAdministrator(t *testing.T) {
	w := reconciletest.NewWorld(t)
	root := func(user string) []reconcile.Subject { return reconcile.UserSubjects([]string{user}) }
	w.Bindings["ClusterRoleBinding admins"] = reconcile.Binding{Kind: reconcile.ClusterRoleBinding, Name: "admins",
		RoleRef: reconcile.RoleRef{Kind: "ClusterRole", Name: "cluster-admin"}, Subjects: root("root")}
	for _, user := range []string{"{name: root}", "{name: root, until: 2026-02-28}"} {
		inv := parseTeam(t, "[]")
		inv.Users = append(inv.Users, reconciletest.Parse(t, "users: ["+user+"]").Users...)
		w.MustApply(inv)
	}
	w.MustApply(parseTeam(t, "[]")) // root is gone from the file
	w.Now = w.Now.Add(30 * 24 * time.Hour)
	w.MustApply(parseTeam(t, "[]"))
	for range 2 {
		if _, err := w.Apply(parseTeam(t, "[{name: root}]")); err != nil || w.Users["root"] != nil {
			t.Errorf("%v, a team got a certificate for cluster-admin", err)
		}
	}
}

// TestTeamAndOnePath: nor what somebody who may write one record in Vault says of the name.
func TestTeamAndOnePath(t *testing.T) {
	for _, rec := range []reconcile.Record{{State: reconcile.Removed, Reason: "until-passed"}, {State: reconcile.Removing}, {State: reconcile.Active}} {
		w := reconciletest.NewWorld(t)
		w.MustApply(parseTeam(t, "[]"))
		w.Bindings["ClusterRoleBinding admins"] = reconcile.Binding{Kind: reconcile.ClusterRoleBinding, Name: "admins",
			RoleRef: reconcile.RoleRef{Kind: "ClusterRole", Name: "cluster-admin"}, Subjects: reconcile.UserSubjects([]string{"root"})}
		rec.FormatVersion, rec.User = "2", "root"
		w.Write(w.Ledger, "root", reconciletest.KVVersion{Record: &rec})
		if _, err := w.Apply(parseTeam(t, "[{name: root}]")); err != nil || w.Users["root"] != nil {
			t.Errorf("%s: %v, issued", rec.State, err)
		}
	}
}

// TestTenantHoldsNoTeam: a tenant who binds something to a name keeps no team from naming it, and the team does not get it.
func TestTenantHoldsNoTeam(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(parseTeam(t, "[{name: bob, groups: [devs]}]"))
	w.Plant(reconcile.Binding{Kind: reconcile.RoleBinding, Namespace: "staging", Name: "x", RoleRef: reconcile.RoleRef{Kind: "Role", Name: "nothing"}, Subjects: reconcile.UserSubjects([]string{"dan"})})
	w.MustApply(parseTeam(t, "[{name: bob, groups: [devs]}, {name: dan, groups: [devs]}]"))
	if w.Served("dan#2") == nil || slices.ContainsFunc(w.Served("dan"), func(object string) bool { return strings.Contains(object, "certsync:") }) {
		t.Errorf("dan has %q, dan#2 %q", w.Served("dan"), w.Served("dan#2"))
	}
}
