package export

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/granted"
)

// TestJoinByLabel: what is granted in all namespaces with a value of the label becomes a selector, and nothing else does.
func TestJoinByLabel(t *testing.T) {
	team := func(name string) reconcile.Namespace {
		return reconcile.Namespace{Labels: map[string]string{"team": name}}
	}
	namespaces := map[string]reconcile.Namespace{
		"a1": team("a"), "a2": team("a"), "b1": team("b"), "b2": team("b"), "b3": team("b"), "single": team("c"), "plain": {}, "kube-system": team("a"), "jobs": team("a"),
	}
	alice, bob := reconcile.UserSubject("alice"), reconcile.UserSubject("bob")
	role := elsewhere("a1", "deploy", bob)
	role.RoleRef.Kind = "Role"
	bindings := []reconcile.Binding{role, elsewhere("", "view", alice)}
	for _, namespace := range []string{"a1", "a2", "b1", "b2", "single", "plain", "kube-system", "jobs"} {
		bindings = append(bindings, elsewhere(namespace, "edit", alice, groupSubject("devs")))
	}
	for _, namespace := range []string{"a1", "a2", "b1", "b2", "b3"} {
		bindings = append(bindings, elsewhere(namespace, "view", bob), elsewhere(namespace, "deploy", bob))
	}
	found := Bindings("prod-eu", bindings)
	found.JoinByLabel("team", namespaces, "jobs", "locks")
	const want = `apiVersion: certsync.dev/v1
kind: Inventory
owner: prod-eu
groups:
  - name: devs
    namespaces:
      - name: b1
        clusterRoles: [edit]
      - name: b2
        clusterRoles: [edit]
      - name: jobs
        clusterRoles: [edit]
      - name: kube-system
        clusterRoles: [edit]
      - name: plain
        clusterRoles: [edit]
      - name: single
        clusterRoles: [edit]
      - selector: {team: a}
        clusterRoles: [edit]
users:
  - name: alice
    clusterRoles: [view]
    namespaces:
      - name: b1
        clusterRoles: [edit]
      - name: b2
        clusterRoles: [edit]
      - name: jobs
        clusterRoles: [edit]
      - name: kube-system
        clusterRoles: [edit]
      - name: plain
        clusterRoles: [edit]
      - name: single
        clusterRoles: [edit]
      - selector: {team: a}
        clusterRoles: [edit]
  - name: bob
    namespaces:
      - name: a1
        roles: [deploy]
      - selector: {team: a}
        clusterRoles: [deploy, view]
      - selector: {team: b}
        clusterRoles: [deploy, view]
`
	if diff := cmp.Diff(want, string(found.Inventory.Encode(inventory.Comments{}))); diff != "" || found.ByLabel != "team" {
		t.Errorf("%q %s", found.ByLabel, diff)
	}
	found = Bindings("prod-eu", bindings)
	found.JoinByLabel("owner", namespaces)
	if diff := cmp.Diff(Bindings("prod-eu", bindings), found); diff != "" {
		t.Error(diff)
	}
}

// TestJoinedGivesTheSame joins what people have at random in namespaces with random labels: it is the same access.
func TestJoinedGivesTheSame(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 0))
		namespaces := map[string]reconcile.Namespace{"kube-system": {Labels: map[string]string{"team": "0"}}}
		for n := range 1 + r.IntN(8) {
			namespaces[fmt.Sprint("n", n)] = reconcile.Namespace{Labels: map[string]string{[]string{"team", "other"}[r.IntN(2)]: fmt.Sprint(r.IntN(2))}}
		}
		var bindings []reconcile.Binding
		for namespace := range namespaces {
			for _, name := range []string{"view", "edit"} {
				if r.IntN(5) > 0 {
					b := elsewhere(namespace, name, reconcile.UserSubject("alice"), groupSubject("devs"))
					b.RoleRef.Kind = []string{"ClusterRole", "ClusterRole", "Role"}[r.IntN(3)]
					bindings = append(bindings, b)
				}
			}
		}
		member := func(found Result) *inventory.Inventory {
			found.Inventory.Users = append(found.Inventory.Users, inventory.User{Name: "bob", Groups: []string{"devs"}})
			return found.Inventory
		}
		found := Bindings("o", bindings)
		found.JoinByLabel("team", namespaces)
		effective, ok := granted.Effective(member(found), namespaces, time.Now())
		if diff := cmp.Diff(granted.Ever(member(Bindings("o", bindings))), granted.Ever(effective)); diff != "" || !ok {
			t.Fatalf("seed %d: %s", seed, diff)
		}
	}
}

// TestJoinStopsAtTheLimit: selectors that come to more than an inventory may have are not made.
func TestJoinStopsAtTheLimit(t *testing.T) {
	const users, shared = 60, 1000
	namespaces := map[string]reconcile.Namespace{}
	found := Result{Inventory: &inventory.Inventory{Owner: "o"}}
	for n := range shared {
		namespaces[fmt.Sprint("n", n)] = reconcile.Namespace{Labels: map[string]string{"team": "a"}}
	}
	for n := range users {
		u := inventory.User{Name: fmt.Sprint("u", n), Namespaces: map[string][]inventory.Grant{}}
		for namespace := range namespaces {
			u.Namespaces[namespace] = []inventory.Grant{{ClusterRole: "edit"}}
		}
		found.Inventory.Users = append(found.Inventory.Users, u)
	}
	found.JoinByLabel("team", namespaces)
	if _, ok := granted.Effective(found.Inventory, namespaces, time.Now()); !ok || len(found.Inventory.Users[users-1].Namespaces) != shared {
		t.Errorf("%t, %d", ok, len(found.Inventory.Users[users-1].Namespaces))
	}
}
