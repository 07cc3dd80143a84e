package reconciletest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/inventory/userkey"
	"github.com/certsync/certsync/reconcile"
)

// Limit is --max-removals.
func Limit(t testing.TB, text string) reconcile.Limit {
	t.Helper()
	var l reconcile.Limit
	if err := l.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return l
}

func IsRefused(err error) bool {
	_, ok := err.(reconcile.Refused)
	return ok
}

// Results lists events as "action who: result".
func Results(o reconcile.Outcome) []string {
	var out []string
	for _, e := range o.Events {
		out = append(out, fmt.Sprintf("%s %s%s: %s", e.Action, e.User, e.Group, e.Result))
	}
	return out
}

// SameBindings compares all but what the server numbers and the order in which people came.
func SameBindings(t *testing.T, want, got *World) {
	t.Helper()
	plain := func(w *World) map[string]reconcile.Binding {
		out := map[string]reconcile.Binding{}
		for object, b := range w.Bindings {
			b.UID, b.ResourceVersion, b.CreatedAt = "", "", time.Time{}
			b.Subjects = slices.SortedFunc(slices.Values(b.Subjects), func(a, b reconcile.Subject) int { return strings.Compare(a.Name, b.Name) })
			out[object] = b
		}
		return out
	}
	if diff := cmp.Diff(plain(want), plain(got)); diff != "" {
		t.Errorf("bindings: %s", diff)
	}
}

// Crew is an inventory of users user00 to user<n-1> in one group with one role, each with a role of their own.
func Crew(n int, without ...int) string {
	var b strings.Builder
	b.WriteString("groups: [{name: devs, clusterRoles: [view]}]\nusers:\n")
	for i := range n {
		if !slices.Contains(without, i) {
			fmt.Fprintf(&b, "  - {name: user%02d, groups: [devs], clusterRoles: [edit]}\n", i)
		}
	}
	return b.String()
}

const GroupView = "ClusterRoleBinding certsync:test:group:devs:view"

func SortedSetOf(list []string) []string { return slices.Sorted(slices.Values(list)) }

// Renamed is team, in which alice has another name.
func Renamed(t *testing.T) *inventory.Inventory {
	inv := Parse(t, strings.Replace(Team, "name: alice,", "name: alicia,", 1))
	inv.Users[0].Previously = []string{"alice"}
	return inv
}

// WithOwnKey gives a user of an inventory a request, made with the key of that name.
func WithOwnKey(t testing.TB, inv *inventory.Inventory, user, key string) *inventory.Inventory {
	t.Helper()
	return WithRequest(t, inv, user, user, key)
}

// WithRequest is WithOwnKey with a request for a name of a later epoch.
func WithRequest(t testing.TB, inv *inventory.Inventory, user, username, key string) *inventory.Inventory {
	t.Helper()
	i := slices.IndexFunc(inv.Users, func(u inventory.User) bool { return u.Name == user })
	if i < 0 {
		return inv
	}
	k, groups := ownKeyNamed(t, key), reconcile.SortedSet(inv.Users[i].Groups)
	ownKeys.Lock()
	defer ownKeys.Unlock()
	name := strings.Join(append([]string{key, username}, groups...), " ")
	if ownKeys.requests[name] == nil {
		request, err := k.Request(username, groups)
		if err != nil {
			t.Fatal(err)
		}
		ownKeys.requests[name] = request
	}
	inv.Users[i].Request = ownKeys.requests[name]
	return inv
}

// FingerprintOf is what a plan and the ledger call a key.
func FingerprintOf(t testing.TB, name string) string {
	return userkey.Fingerprint(ownKeyNamed(t, name).Public)
}

// WithoutBob is the team without him.
var WithoutBob = strings.Replace(Team, "  - {name: bob, groups: [devs]}\n", "", 1)

func Rule(verb, group, resource string, names ...string) reconcile.Rule {
	return reconcile.Rule{Verbs: []string{"list-of-others", verb}, Groups: []string{group}, Resources: []string{"configmaps", resource}, Names: names}
}
