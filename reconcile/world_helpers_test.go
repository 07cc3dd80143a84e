package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory"
)

// limit is --max-removals.
func limit(t testing.TB, text string) Limit {
	t.Helper()
	var l Limit
	if err := l.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return l
}

func isRefused(err error) bool {
	_, ok := err.(Refused)
	return ok
}

// results lists events as "action who: result".
func results(o Outcome) []string {
	var out []string
	for _, e := range o.Events {
		out = append(out, fmt.Sprintf("%s %s%s: %s", e.Action, e.User, e.Group, e.Result))
	}
	return out
}

// sameBindings compares all but what the server numbers and the order in which people came.
func sameBindings(t *testing.T, want, got *world) {
	t.Helper()
	plain := func(w *world) map[string]Binding {
		out := map[string]Binding{}
		for object, b := range w.bindings {
			b.UID, b.ResourceVersion = "", ""
			b.Subjects = slices.SortedFunc(slices.Values(b.Subjects), func(a, b Subject) int { return strings.Compare(a.Name, b.Name) })
			out[object] = b
		}
		return out
	}
	if diff := cmp.Diff(plain(want), plain(got)); diff != "" {
		t.Errorf("bindings: %s", diff)
	}
}

// crew is an inventory of users user00 to user<n-1> in one group with one role, each with a role of their own.
func crew(n int, without ...int) string {
	var b strings.Builder
	b.WriteString("groups: [{name: devs, clusterRoles: [view]}]\nusers:\n")
	for i := range n {
		if !slices.Contains(without, i) {
			fmt.Fprintf(&b, "  - {name: user%02d, groups: [devs], clusterRoles: [edit]}\n", i)
		}
	}
	return b.String()
}

const groupView = "ClusterRoleBinding certsync:test:group:devs:view"

func sortedSetOf(list []string) []string { return slices.Sorted(slices.Values(list)) }

// renamed is team, in which alice has another name.
func renamed(t *testing.T) *inventory.Inventory {
	inv := parse(t, strings.Replace(team, "name: alice,", "name: alicia,", 1))
	inv.Users[0].Previously = []string{"alice"}
	return inv
}

// withOwnKey gives a user of an inventory a request, made with the key of that name.
func withOwnKey(t testing.TB, inv *inventory.Inventory, user, key string) *inventory.Inventory {
	t.Helper()
	i := slices.IndexFunc(inv.Users, func(u inventory.User) bool { return u.Name == user })
	if i < 0 {
		return inv
	}
	k, groups := ownKeyNamed(t, key), sortedSet(inv.Users[i].Groups)
	ownKeys.Lock()
	defer ownKeys.Unlock()
	name := strings.Join(append([]string{key, user}, groups...), " ")
	if ownKeys.requests[name] == nil {
		request, err := k.request(user, groups)
		if err != nil {
			t.Fatal(err)
		}
		ownKeys.requests[name] = request
	}
	inv.Users[i].Request = ownKeys.requests[name]
	return inv
}

// fingerprintOf is what a plan and the ledger call a key.
func fingerprintOf(t testing.TB, name string) string {
	return inventory.Fingerprint(ownKeyNamed(t, name).public)
}

// withoutBob is the team without him.
var withoutBob = strings.Replace(team, "  - {name: bob, groups: [devs]}\n", "", 1)

func rule(verb, group, resource string, names ...string) Rule {
	return Rule{Verbs: []string{"list-of-others", verb}, Groups: []string{group}, Resources: []string{"configmaps", resource}, Names: names}
}
