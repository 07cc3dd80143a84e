package render

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/plan"
)

// threeHundred is an inventory of 300 users in two namespaces: 200 developers, of whom 40 are also on call, 60 in operations,
// 20 auditors, and 20 with a role of their own.
func threeHundred() (head string, users []string) {
	head = `groups:
  - {name: developers, clusterRoles: [view], namespaces: {staging: [edit]}}
  - {name: operations, clusterRoles: [view], namespaces: {staging: [admin], payments: [admin]}}
  - {name: on-call, namespaces: {payments: [edit]}}
  - {name: auditors, clusterRoles: [view]}
users:
`
	first := []string{"anna", "ben", "carla", "david", "ella", "finn", "greta", "hugo", "ida", "jan", "kim", "leo", "mia", "noah", "olga"}
	last := []string{"adler", "berg", "conrad", "dietz", "ernst", "fuchs", "graf", "haas", "jung", "kern", "lang", "maier", "nagel", "otto", "pohl", "roth", "sauer", "thoma", "unger", "vogel"}
	for n := range 300 {
		rights := "groups: [developers]"
		switch {
		case n >= 280:
			rights = "namespaces: {payments: [view]}"
		case n >= 260:
			rights = "groups: [auditors]"
		case n >= 200:
			rights = "groups: [operations]"
		case n%5 == 0:
			rights = "groups: [developers, on-call]"
		}
		users = append(users, fmt.Sprintf("  - {name: %s.%s@example.com, %s}\n", first[n/20], last[n%20], rights))
	}
	return head, users
}

// alter changes the line of one user of threeHundred.
func alter(t *testing.T, users []string, n int, old, new string) {
	t.Helper()
	changed := strings.Replace(users[n], old, new, 1)
	if changed == users[n] {
		t.Fatalf("nothing to change in %q", users[n])
	}
	users[n] = changed
}

// monday is a plan of 20 changes among 300 users. Five users are new, four leave, one of them with a role of their own. One
// user gets one more role, one another role, one is on call from now on, and the access of one ends. The auditors get a role
// in payments. Five certificates are due for renewal, one credential is gone from Vault, and one binding has drifted.
func monday(t *testing.T) reconcile.Plan {
	head, users := threeHundred()
	inv := fixture.Inventory(t, head+strings.Join(users, ""))
	o := fixture.Settled(inv)
	o.ClusterRoles["cluster-admin"] = true
	o.Rules[reconcile.Role{Name: "cluster-admin"}] = []reconcile.Rule{{Verbs: []string{"*"}, Groups: []string{"*"}, Resources: []string{"*"}}}
	for n := 20; n < 25; n++ {
		user := inv.Users[n]
		fixture.Issue(o, user.Name, user.Groups, fixture.Noon.Add(-6*24*time.Hour))
	}
	delete(o.Credentials, inv.Users[30].Name)
	fixture.ChangeBinding(&o, "RoleBinding staging/certsync:prod-eu:group:operations:admin", func(b *reconcile.Binding) {
		b.Subjects = append(b.Subjects, reconcile.UserSubject("mallory"))
	})
	o.Bindings = append(o.Bindings, reconcile.Binding{
		Kind: reconcile.RoleBinding, Namespace: "payments", Name: "legacy", RoleRef: reconcile.RoleRef{Kind: "Role", Name: "payer"},
		Subjects: []reconcile.Subject{{Kind: "Group", APIGroup: reconcile.RBACGroup, Name: "on-call"}},
	})

	alter(t, users, 41, "groups:", "clusterRoles: [cluster-admin], groups:")
	alter(t, users, 282, "[view]", "[edit]")
	alter(t, users, 43, "[developers]", "[developers, on-call]")
	alter(t, users, 285, "[view]", "[{name: view, until: 2026-03-05}]")
	for _, n := range []int{7, 8, 211, 290} {
		users[n] = ""
	}
	for _, who := range []string{"paul.adler", "paul.berg", "paul.conrad"} {
		users = append(users, "  - {name: "+who+"@example.com, groups: [developers]}\n")
	}
	users = append(users, "  - {name: rosa.adler@example.com, groups: [operations]}\n", "  - {name: rosa.berg@example.com, groups: [developers], until: 2026-03-06}\n")
	head = strings.Replace(head, "auditors, clusterRoles: [view]", "auditors, clusterRoles: [view], namespaces: {payments: [view]}", 1)
	return plan.Diff(fixture.Inventory(t, head+strings.Join(users, "")), o, reconcile.Rules{Namespace: "certsync"})
}

// TestReading: a plan with 20 changes among 300 users fits one screen.
func TestReading(t *testing.T) {
	const screen = 40
	text := string(Plan(monday(t), false))
	fixture.Golden(t, filepath.Join("testdata/reading", "plan.txt"), text)
	if n := strings.Count(text, "\n"); n > screen {
		t.Errorf("%d lines, more than %d", n, screen)
	}
	for _, line := range strings.Split(text, "\n") {
		if utf8.RuneCountInString(line) > terminal.LineWidth {
			t.Errorf("too wide: %q", line)
		}
	}
}
