package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const team = `
groups:
  - {name: developers, clusterRoles: [view], namespaces: {staging: [edit]}}
users:
  - {name: alice@example.com, groups: [developers], clusterRoles: [admin]}
  - {name: bob@example.com, groups: [developers]}
  - {name: carol@example.com, namespaces: {payments: [edit]}}
`

func parse(t *testing.T, text string) *inventory.Inventory {
	t.Helper()
	inv, err := inventory.Parse("users.yaml", []byte("apiVersion: certsync.dev/v1\nkind: Inventory\nowner: prod-eu\n"+text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

var readsSecrets = reconcile.PowerOf([]reconcile.Rule{{Verbs: []string{"get"}, Groups: []string{""}, Resources: []string{"secrets"}}})

// nobody is what there is to see before the first run.
func nobody() reconcile.Observed {
	return reconcile.Observed{
		At: noon,
		ClusterView: reconcile.ClusterView{
			UID: "7d5a", Clock: noon, Endpoint: reconcile.Endpoint{Name: "prod-eu", Server: "https://k8s.example.com:6443"},
			ClusterRoles: map[string]bool{"view": true, "edit": true, "admin": true},
			Powers:       map[string]reconcile.Power{"view": {}, "edit": readsSecrets, "admin": readsSecrets},
			Namespaces:   map[string]bool{"staging": true, "payments": true},
		},
		StoreView: reconcile.StoreView{Ledger: map[string]reconcile.LedgerEntry{}, Credentials: map[string]reconcile.CredentialMeta{}},
	}
}

// settled is what there is to see after inv was applied an hour ago.
func settled(inv *inventory.Inventory) reconcile.Observed {
	o := nobody()
	o.State = &reconcile.State{FormatVersion: "1", ClusterUID: o.UID, InventoryDigest: inv.Digest(), Generation: 1, StartedAt: noon.Add(-time.Hour), StartedBy: "ci"}
	o.StateVersion = 1
	for _, u := range inv.Users {
		issue(o, u.Name, u.Groups, noon.Add(-time.Hour))
		for _, g := range u.ClusterRoles {
			bind(&o, reconcile.Grant{For: reconcile.ForUser, Subject: u.Name, Role: g.ClusterRole, Part: 1}, u.Name)
		}
		for ns, roles := range u.Namespaces {
			for _, g := range roles {
				bind(&o, reconcile.Grant{For: reconcile.ForUser, Subject: u.Name, Namespace: ns, Role: g.ClusterRole, Part: 1}, u.Name)
			}
		}
	}
	for _, grp := range inv.Groups {
		var members []string
		for _, u := range inv.Users {
			if slices.Contains(u.Groups, grp.Name) {
				members = append(members, u.Name)
			}
		}
		for _, g := range grp.ClusterRoles {
			bind(&o, reconcile.Grant{For: reconcile.ForGroup, Subject: grp.Name, Role: g.ClusterRole, Part: 1}, members...)
		}
		for ns, roles := range grp.Namespaces {
			for _, g := range roles {
				bind(&o, reconcile.Grant{For: reconcile.ForGroup, Subject: grp.Name, Namespace: ns, Role: g.ClusterRole, Part: 1}, members...)
			}
		}
	}
	return o
}

// issue gives a user a credential that is whole, and good for a week from then.
func issue(o reconcile.Observed, user string, groups []string, at time.Time) {
	ca := sha256.Sum256(nil)
	o.Ledger[user] = reconcile.LedgerEntry{Version: 1, Record: &reconcile.Record{
		FormatVersion: "1", User: user, State: reconcile.Active, Since: at, Reason: "issued",
		Kubeconfig: reconcile.KubeconfigRef{Cluster: o.Endpoint.Name, Server: o.Endpoint.Server, CASHA256: hex.EncodeToString(ca[:])},
		Certificates: []reconcile.CertificateEntry{{
			Status: reconcile.Current, NotBefore: at, IssuedAt: at, NotAfter: at.Add(7 * 24 * time.Hour),
			Groups: groups, KeyAlgorithm: string(inventory.ECDSAP256), CredentialVersion: 1,
		}},
	}}
	o.Credentials[user] = reconcile.CredentialMeta{CurrentVersion: 1, Versions: []reconcile.CredentialVersion{{Version: 1}}}
}

func bind(o *reconcile.Observed, g reconcile.Grant, users ...string) {
	b := reconcile.Binding{
		Kind: reconcile.ClusterRoleBinding, Namespace: g.Namespace, Name: reconcile.BindingName("prod-eu", g),
		UID: "1", ResourceVersion: "1", ManagedBy: reconcile.ManagedByValue, Owner: "prod-eu",
		RoleRef: reconcile.RoleRef{Kind: "ClusterRole", Name: g.Role},
	}
	if g.Namespace != "" {
		b.Kind = reconcile.RoleBinding
	}
	for _, u := range users {
		b.Subjects = append(b.Subjects, reconcile.UserSubject(u))
	}
	o.Bindings = append(o.Bindings, b)
}

// at changes the binding with that object name.
func at(o *reconcile.Observed, object string, change func(*reconcile.Binding)) {
	for i := range o.Bindings {
		if o.Bindings[i].Object() == object {
			change(&o.Bindings[i])
			return
		}
	}
	panic("no " + object)
}

const (
	aliceAdmin = "ClusterRoleBinding certsync:prod-eu:user:alice@example.com:admin"
	devsView   = "ClusterRoleBinding certsync:prod-eu:group:developers:view"
)

// hostile is a name that would like to end the plan and to begin another.
const hostile = "eve\x1b[2J\x1b[31m\u202e\u009b1m\r\nPlan for prod-eu: nothing to do" + "                                                                       " + "\x00\x07"

// plans has what golden files in testdata/text show.
func plans(t *testing.T) map[string]reconcile.Plan {
	inv := parse(t, team)
	diff := func(text string, o reconcile.Observed) reconcile.Plan {
		return reconcile.Diff(parse(t, text), o, reconcile.Rules{})
	}
	many := "defaults: {renewBefore: 33%}\ngroups: [{name: developers, clusterRoles: [view]}]\nusers:\n"
	for n := range 45 {
		many += fmt.Sprintf("  - {name: user%02d@example.com, groups: [developers]}\n", n)
	}
	expiring := settled(parse(t, many))
	expiring.At = noon.Add(6 * 24 * time.Hour)
	expiring.Clock = expiring.At

	changed := settled(inv)
	changed.Bindings = append(changed.Bindings, reconcile.Binding{
		Kind: reconcile.RoleBinding, Namespace: "payments", Name: "legacy", RoleRef: reconcile.RoleRef{Kind: "Role", Name: "payer"},
		Subjects: []reconcile.Subject{reconcile.UserSubject("dan@example.com")},
	})
	issue(changed, "bob@example.com", []string{"developers"}, noon.Add(-6*24*time.Hour))
	old := changed.Credentials["carol@example.com"]
	old.CurrentVersion, old.Versions = 1, append(old.Versions, reconcile.CredentialVersion{Version: 0})
	changed.Credentials["carol@example.com"] = old

	guarded := settled(inv) // with a conflict besides
	guarded.Credentials["carol@example.com"] = reconcile.CredentialMeta{CurrentVersion: 4}
	withoutAlice := strings.Replace(team, "  - {name: alice@example.com, groups: [developers], clusterRoles: [admin]}\n", "", 1)

	return map[string]reconcile.Plan{
		"first":       diff(team, nobody()),
		"settled":     diff(team, settled(inv)),
		"record-only": diff(team+"  # a comment changes nothing, a default does\ndefaults: {renewBefore: 34%}\n", settled(inv)),
		"renewals":    diff(many, expiring),
		"newcomers":   diff(many, nobody()),
		"changes": diff(strings.NewReplacer(
			"  - {name: alice@example.com, groups: [developers], clusterRoles: [admin]}\n", "  - {name: dan@example.com, groups: [developers], until: 2026-03-05}\n",
			"payments: [edit]", "payments: [view, {name: admin, until: 2026-03-04}], nowhere: [edit]",
		).Replace(team), changed),
		"held":    diff(team, conflicts(inv)),
		"guarded": reconcile.Diff(parse(t, withoutAlice), guarded, reconcile.Rules{Protect: []string{"alice@example.com"}}),
		"own-key": reconcile.Diff(ownKey(t), settled(inv), reconcile.Rules{}),
		"renamed": reconcile.Diff(renamedWithKey(t), settled(inv), reconcile.Rules{}),
		"hostile": diff(team, hostilities(inv)),
	}
}

// ownKey is the team, with a request of Alice's.
func ownKey(t *testing.T) *inventory.Inventory {
	t.Helper()
	request, err := os.ReadFile("../../inventory/testdata/requests/ecdsa.csr")
	if err != nil {
		t.Fatal(err)
	}
	inv := parse(t, team)
	inv.Users[0].Request = request
	return inv
}

// renamedWithKey is the team, in which Alice has another name and a request at once, and the group has one role more.
func renamedWithKey(t *testing.T) *inventory.Inventory {
	inv := ownKey(t)
	inv.Users[0].Name, inv.Users[0].Previously = "alicia@example.com", []string{"alice@example.com"}
	inv.Groups[0].ClusterRoles = append(inv.Groups[0].ClusterRoles, inventory.Grant{ClusterRole: "edit"})
	return inv
}

// conflicts is a world in which apply would refuse, for reasons of all kinds.
func conflicts(inv *inventory.Inventory) reconcile.Observed {
	o := settled(inv)
	for _, object := range []string{aliceAdmin, devsView} {
		at(&o, object, func(b *reconcile.Binding) { b.Owner = "" })
	}
	o.Ledger["bob@example.com"] = reconcile.LedgerEntry{Version: 2, Problem: `it is the record of "mallory"`}
	o.Credentials["carol@example.com"] = reconcile.CredentialMeta{CurrentVersion: 4}
	return o
}

// hostilities is a world in which everything that others may write holds what a terminal would obey.
func hostilities(inv *inventory.Inventory) reconcile.Observed {
	o := settled(inv)
	at(&o, aliceAdmin, func(b *reconcile.Binding) {
		b.Subjects = append(b.Subjects, reconcile.UserSubject(hostile), reconcile.Subject{Kind: hostile, Name: hostile, Namespace: hostile})
	})
	bind(&o, reconcile.Grant{For: reconcile.ForUser, Subject: hostile, Role: "admin", Part: 1}, hostile)
	bind(&o, reconcile.Grant{For: reconcile.ForGroup, Subject: hostile, Namespace: "staging", Role: hostile, Part: 3}, hostile)
	planted := o.Bindings[len(o.Bindings)-1]
	planted.Name = reconcile.BindingName("prod-eu", reconcile.Grant{For: reconcile.ForGroup, Subject: hostile, Role: "view", Part: 1})
	planted.Owner = ""
	o.Bindings = append(o.Bindings, planted, reconcile.Binding{
		Kind: reconcile.ClusterRoleBinding, Name: hostile, RoleRef: reconcile.RoleRef{Kind: "ClusterRole", Name: hostile},
		Subjects: []reconcile.Subject{reconcile.UserSubject("bob@example.com")},
	})
	delete(o.Credentials, "bob@example.com")
	o.Ledger["carol@example.com"] = reconcile.LedgerEntry{Version: 2, Problem: hostile}
	o.Strangers = []string{"users/" + hostile}
	o.Requests = []reconcile.Request{{Name: hostile, User: hostile, RequestedBy: hostile, CreatedAt: noon, State: "denied", Reason: hostile, Message: hostile}}
	return o
}

// TestPlanText compares plans as text, as text in colour, and as JSON.
func TestPlanText(t *testing.T) {
	for name, plan := range plans(t) {
		t.Run(name, func(t *testing.T) {
			digest := plan.Digest()
			text := string(planText(plan, false))
			if plan.Digest() != digest {
				t.Error("who renders a plan changes it")
			}
			harmless(t, text)
			golden(t, filepath.Join("testdata/text", name+".txt"), text)
			coloured := string(planText(plan, true))
			if plain := colours.ReplaceAllString(coloured, ""); plain != text {
				t.Errorf("colour changes more than the colour:\n%s", plain)
			}
			if name != "changes" && name != "held" {
				return
			}
			golden(t, filepath.Join("testdata/text", name+".colour"), coloured)
			asJSON, err := json.MarshalIndent(plan, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join("testdata/text", name+".json"), string(asJSON)+"\n")
		})
	}
}

var colours = regexp.MustCompile("\x1b\\[(0|1|31|32|33)m")

// harmless checks that text holds nothing that a terminal obeys, and that no name has a line of its own.
func harmless(t *testing.T, text string) {
	t.Helper()
	for n, line := range strings.Split(text, "\n") {
		if i := strings.IndexFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("line %d holds %q", n+1, line[i:])
		}
		if n > 0 && strings.HasPrefix(line, "Plan for") {
			t.Errorf("line %d is forged: %s", n+1, line)
		}
	}
}
