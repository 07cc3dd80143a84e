package render

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/plan"
)

// plans are the plans in testdata/text, by the names of the files.
func plans(t *testing.T) map[string]reconcile.Plan {
	inv := fixture.Inventory(t, fixture.Team)
	diff := func(text string, o reconcile.Observed) reconcile.Plan {
		return plan.Diff(fixture.Inventory(t, text), o, reconcile.Rules{})
	}
	many := "defaults: {renewBefore: 33%}\ngroups: [{name: developers, clusterRoles: [view]}]\nusers:\n"
	for n := range 45 {
		many += fmt.Sprintf("  - {name: user%02d@example.com, groups: [developers]}\n", n)
	}
	expiring := fixture.Settled(fixture.Inventory(t, many))
	expiring.At = fixture.Noon.Add(6 * 24 * time.Hour)
	expiring.Clock = expiring.At

	changed := fixture.Settled(inv)
	changed.Bindings = append(changed.Bindings, reconcile.Binding{
		Kind: reconcile.RoleBinding, Namespace: "payments", Name: "legacy", RoleRef: reconcile.RoleRef{Kind: "Role", Name: "payer"},
		Subjects: []reconcile.Subject{reconcile.UserSubject("dan@example.com")},
	})
	fixture.Issue(changed, "bob@example.com", []string{"developers"}, fixture.Noon.Add(-6*24*time.Hour))
	old := changed.Credentials["carol@example.com"]
	old.CurrentVersion, old.Versions = 1, append(old.Versions, reconcile.CredentialVersion{Version: 0})
	changed.Credentials["carol@example.com"] = old

	guarded := fixture.Settled(inv) // with a conflict besides
	guarded.Credentials["carol@example.com"] = reconcile.CredentialMeta{CurrentVersion: 4}
	withoutAlice := strings.Replace(fixture.Team, "  - {name: alice@example.com, groups: [developers], clusterRoles: [admin]}\n", "", 1)

	return map[string]reconcile.Plan{
		"first":       diff(fixture.Team, fixture.FirstRun()),
		"settled":     diff(fixture.Team, fixture.Settled(inv)),
		"record-only": diff(fixture.RecordOnly, fixture.Settled(inv)),
		"renewals":    diff(many, expiring),
		"newcomers":   diff(many, fixture.FirstRun()),
		"changes": diff(strings.NewReplacer(
			"  - {name: alice@example.com, groups: [developers], clusterRoles: [admin]}\n", "  - {name: dan@example.com, groups: [developers], until: 2026-03-05}\n",
			"payments: [edit]", "payments: [view, {name: admin, until: 2026-03-04}], nowhere: [edit]",
		).Replace(fixture.Team), changed),
		"later": diff(strings.NewReplacer(
			"users:\n", "users:\n  - {name: dora@example.com, from: 2026-04-01, clusterRoles: [cluster-admin]}\n  - {name: emil@example.com, from: 2026-04-01, until: 2026-04-30}\n",
			"payments: [edit]", "payments: [edit, {name: admin, from: 2026-03-09T08:00:00Z}]",
		).Replace(fixture.Team), fixture.Settled(inv)),
		"why": diff(strings.NewReplacer(
			"users:\n", "users:\n  - {name: dora@example.com, from: 2026-04-01, reason: new in the team, clusterRoles: [view]}\n  - {name: emil@example.com, groups: [developers], reason: \"stands in for Bob, who is on parental leave until the end of the summer\", ticket: OPS-1234, clusterRoles: [edit]}\n",
			"clusterRoles: [view]", "clusterRoles: [view, {name: audit, ticket: \"#77 | <b>\"}]",
		).Replace(fixture.Team), fixture.Settled(inv)),
		"roles": diff(strings.NewReplacer(
			"payments: [edit]", "payments: [edit, {role: deployer}]",
			"namespaces: {staging: [edit]}", "namespaces: [{name: staging, clusterRoles: [edit]}, {selector: {team: apps}, clusterRoles: [view], roles: [deployer]}, {selector: {team: nobody}, roles: [deployer]}]",
		).Replace(fixture.Team), labelled(inv)),
		"unprotected": diff(fixture.Team, protectedBefore(inv)),
		"held":        diff(fixture.Team, conflicts(inv)),
		"guarded":     plan.Diff(fixture.Inventory(t, withoutAlice), guarded, reconcile.Rules{Protect: []string{"alice@example.com"}}),
		"own-key":     plan.Diff(fixture.OwnKey(t), fixture.Settled(inv), reconcile.Rules{}),
		"renamed":     plan.Diff(renamedWithKey(t), fixture.Settled(inv), reconcile.Rules{}),
		"hostile":     diff(fixture.Team, fixture.Hostilities(inv)),
		"revoked":     plan.Diff(fixture.Inventory(t, "defaults: {revokedBefore: 2026-03-01T11:30:00Z}"+fixture.Team), servedByOthers(inv), reconcile.Rules{BatchSize: 1}),
	}
}

// labelled is an observation in which namespaces belong to team apps, and one of them has the Role deployer.
func labelled(inv *inventory.Inventory) reconcile.Observed {
	o := fixture.Settled(inv)
	for _, name := range []string{"shop", "web"} {
		o.Namespaces[name] = reconcile.Namespace{Labels: map[string]string{"team": "apps"}, Open: true}
	}
	o.Rules[reconcile.Role{Namespace: "web", Name: "deployer"}] = []reconcile.Rule{{Verbs: []string{"*"}, Groups: []string{"*"}, Resources: []string{"*"}}}
	return o
}

// protectedBefore is an observation in which Bob is protected by the last inventory.
func protectedBefore(inv *inventory.Inventory) reconcile.Observed {
	o := fixture.Settled(inv)
	bob := o.State.Names["bob@example.com"]
	bob.Protected = true
	o.State.Names["bob@example.com"] = bob
	return o
}

// withRemovals are plans, and one without Vault. That is never shown as a comment.
func withRemovals(t *testing.T) map[string]reconcile.Plan {
	all := plans(t)
	all["removals"] = fixture.Removals(t)
	return all
}

// renamedWithKey is the team, in which Alice gets another name and a signing request, and the group one more role.
func renamedWithKey(t *testing.T) *inventory.Inventory {
	inv := fixture.OwnKey(t)
	inv.Users[0].Name, inv.Users[0].Previously = "alicia@example.com", []string{"alice@example.com"}
	inv.Users[0].Request = fixture.Request(t, inv.Users[0].Name)
	inv.Groups[0].ClusterRoles = append(inv.Groups[0].ClusterRoles, inventory.Grant{ClusterRole: "edit"})
	return inv
}

// conflicts is an observation after which apply refuses steps, for reasons of all kinds.
func conflicts(inv *inventory.Inventory) reconcile.Observed {
	o := fixture.Settled(inv)
	for _, object := range []string{fixture.AliceAdmin, fixture.DevsView} {
		fixture.ChangeBinding(&o, object, func(b *reconcile.Binding) { b.Owner = "" })
	}
	o.Ledger["bob@example.com"] = reconcile.LedgerEntry{Version: 2, Problem: `it is the record of "mallory"`}
	o.Credentials["carol@example.com"] = reconcile.CredentialMeta{CurrentVersion: 4}
	return o
}

// servedByOthers is an observation in which others have bound the users' names.
func servedByOthers(inv *inventory.Inventory) reconcile.Observed {
	o := fixture.Settled(inv)
	legacy := reconcile.Binding{Kind: reconcile.RoleBinding, Namespace: "payments", Name: "legacy", RoleRef: reconcile.RoleRef{Kind: "Role", Name: "payer"}}
	for _, u := range inv.Users {
		legacy.Subjects = append(legacy.Subjects, reconcile.UserSubject(u.Name))
	}
	o.Bindings = append(o.Bindings, legacy)
	return o
}
