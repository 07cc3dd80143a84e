package render

import (
	"fmt"
	"sort"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/plan"
)

// thousandsOf is a plan for 5,000 users. The first of them, as many as changed, each get one more role of their own. The names
// of the roles repeat letter, which may have several bytes.
func thousandsOf(t *testing.T, changed int, letter string) reconcile.Plan {
	var before, after strings.Builder
	before.WriteString("users:\n")
	after.WriteString("users:\n")
	for n := range 5000 {
		fmt.Fprintf(&before, "  - {name: user%04d@example.com}\n", n)
		if n < changed {
			fmt.Fprintf(&after, "  - {name: user%04d@example.com, clusterRoles: [%s%04d]}\n", n, strings.Repeat(letter, 20), n)
		} else {
			fmt.Fprintf(&after, "  - {name: user%04d@example.com}\n", n)
		}
	}
	return plan.Diff(fixture.Inventory(t, after.String()), fixture.Settled(fixture.Inventory(t, before.String())), reconcile.Rules{})
}

// TestMarkdownLimit: with 5,000 users, a comment has everything as long as there is room. With more changes it first leaves
// out details, then rows of the table, and says so. The limit counts characters, not bytes.
func TestMarkdownLimit(t *testing.T) {
	// left returns how many rows and details a comment leaves out.
	left := func(changed int, letter string) (c parsedComment, rowsOmitted, itemsOmitted int) {
		plan := thousandsOf(t, changed, letter)
		text := PlanMarkdown(plan)
		c = readComment(t, text)
		items := 0
		for _, f := range allDetails(plan) {
			items += len(f.items)
			for _, item := range c.details[f.title] {
				if !strings.Contains(item, "more, which certsync plan") {
					items--
				}
			}
		}
		rows := len(rows(plan, cell))
		for _, r := range c.table {
			if r[0] != "" {
				rows--
			}
		}
		says(t, strings.Join(append(c.fences, c.paras...), "\n"), "certsync apply --expect "+plan.Digest(), fmt.Sprintf("%d to bind", changed))
		if shortened := strings.Contains(strings.Join(c.paras, "\n"), "Shortened to fit a comment"); shortened != (rows+items > 0) {
			t.Errorf("%d rows and %d items are left out, and it says so: %v", rows, items, shortened)
		}
		return c, rows, items
	}
	whole := sort.Search(600, func(n int) bool { _, rows, items := left(n+1, "r"); return rows+items > 0 })
	detailed := sort.Search(1200, func(n int) bool { _, rows, _ := left(n+1, "r"); return rows > 0 })
	if whole < 100 || detailed < 2*whole || detailed == 1200 {
		t.Errorf("%d changes are textName with their details, %d without", whole, detailed)
	}
	for n, want := range map[int][2]bool{whole: {}, whole + 1: {false, true}, detailed: {false, true}, detailed + 1: {true, true}} {
		if _, rows, items := left(n, "日"); rows > 0 != want[0] || items > 0 != want[1] {
			t.Errorf("%d changes with other letters: %d rows and %d items are left out", n, rows, items)
		}
	}
	text := PlanMarkdown(thousandsOf(t, detailed, "日"))
	if n := utf8.RuneCount(text); n > commentLimit || n < commentLimit*9/10 || len(text) <= commentLimit {
		t.Errorf("%d characters, %d bytes: of the room for %d, much is left, or bytes are counted", n, len(text), commentLimit)
	}
	c, rowsOmitted, _ := left(5000, "r")
	says(t, strings.Join(c.paras, "\n"), terminal.WithCommas(rowsOmitted)+" changes and ")
	if last := c.table[len(c.table)-1][1]; last != fmt.Sprintf("and %s more, which certsync plan shows", terminal.WithCommas(rowsOmitted)) {
		t.Errorf("the table ends with %q", last)
	}
}

// TestAttentionIsBounded: a user who makes thousands of bindings pushes neither the digest nor other kinds of items out of a
// comment.
func TestAttentionIsBounded(t *testing.T) {
	var before, after strings.Builder
	before.WriteString("groups: [{name: devs, clusterRoles: [view]}]\nusers:\n")
	after.WriteString("groups: [{name: devs, clusterRoles: [view]}]\nusers:\n")
	for n := range 1500 {
		name := fmt.Sprintf("%s%04d@example.com", strings.Repeat("u", 48), n)
		fmt.Fprintf(&before, "  - {name: %s, groups: [devs], clusterRoles: [view]}\n", name)
		if n%2 == 0 {
			fmt.Fprintf(&after, "  - {name: %s, groups: [devs], clusterRoles: [%s]}\n", name, strings.Repeat("r", 253))
		}
	}
	o := fixture.Settled(fixture.Inventory(t, before.String()))
	for n := range 1500 {
		o.Bindings = append(o.Bindings, reconcile.Binding{Kind: reconcile.ClusterRoleBinding, Name: strings.Repeat("x", 2000) + fmt.Sprint(n),
			RoleRef:  reconcile.RoleRef{Kind: "ClusterRole", Name: strings.Repeat("@", 3000)},
			Subjects: []reconcile.Subject{reconcile.UserSubject(fmt.Sprintf("%s%04d@example.com", strings.Repeat("u", 48), n))}})
	}
	o.Rules[reconcile.Role{Name: strings.Repeat("r", 253)}] = fixture.ReadsSecrets
	for name, rules := range map[string]reconcile.Rules{"done": {MaxRemovals: allRemovals(t)}, "held": {}} {
		t.Run(name, func(t *testing.T) {
			plan := plan.Diff(fixture.Inventory(t, after.String()), o, rules)
			c := readComment(t, PlanMarkdown(plan))
			first := strings.Join(c.first, "\n")
			says(t, first, "Existing access", "As good as cluster-admin")
			if name == "held" {
				says(t, first, "Held", "more than 25% (--max-removals)")
			} else {
				says(t, first, "Removed", "Loses access", "more of these")
			}
			says(t, strings.Join(c.fences, ""), plan.Digest())
			if len(c.table) < 50 {
				t.Errorf("%d rows are left", len(c.table))
			}
		})
	}
}

// TestAttentionShowsClusterWideAccessFirst: a hundred bindings in one namespace, for users whose names sort first, do not hide
// the cluster-wide access of another user.
func TestAttentionShowsClusterWideAccessFirst(t *testing.T) {
	o := fixture.Settled(fixture.Inventory(t, "users: []\n"))
	serve := func(kind reconcile.BindingKind, namespace, name, role, user string) {
		o.Bindings = append(o.Bindings, reconcile.Binding{Kind: kind, Namespace: namespace, Name: name,
			RoleRef: reconcile.RoleRef{Kind: "ClusterRole", Name: role}, Subjects: []reconcile.Subject{reconcile.UserSubject(user)}})
	}
	for n := range 100 {
		serve(reconcile.RoleBinding, "dev", fmt.Sprintf("noise%d", n), "view", fmt.Sprintf("aaa%d", n%10))
	}
	serve(reconcile.ClusterRoleBinding, "", "admins", "cluster-admin", "zed")
	c := readComment(t, PlanMarkdown(plan.Diff(fixture.Inventory(t, "users: [{name: zed}, {name: aaa0}, {name: aaa1}, {name: aaa2}, {name: aaa3}, {name: aaa4}, {name: aaa5}, {name: aaa6}, {name: aaa7}, {name: aaa8}, {name: aaa9}]\n"), o, reconcile.Rules{})))
	says(t, c.first[0], "Existing access", "zed", "ClusterRoleBinding admins")
	says(t, strings.Join(c.first, "\n"), "noise0", "more of these")
}

// TestAttentionShowsTheStrongestFirst: many exchanged keys, weaker roles and bindings of others do not hide those of a stronger
// user, whose name sorts last.
func TestAttentionShowsTheStrongestFirst(t *testing.T) {
	var before, roles, keys strings.Builder
	for _, b := range []*strings.Builder{&before, &roles, &keys} {
		b.WriteString("users:\n")
	}
	for n := range 60 {
		fmt.Fprintf(&before, "  - {name: user%02d}\n", n)
		fmt.Fprintf(&roles, "  - {name: user%02d, clusterRoles: [edit, view%02d]}\n", n, n)
		fmt.Fprintf(&keys, "  - {name: user%02d}\n", n)
	}
	before.WriteString("  - {name: zed}\n")
	roles.WriteString("  - {name: zed, clusterRoles: [cluster-admin]}\n")
	keys.WriteString("  - {name: zed, clusterRoles: [cluster-admin]}\n")
	powers := func(o reconcile.Observed) reconcile.Observed {
		o.Rules[reconcile.Role{Name: "cluster-admin"}] = []reconcile.Rule{{Verbs: []string{"*"}, Groups: []string{"*"}, Resources: []string{"*"}}}
		for n := range 60 {
			o.Rules[reconcile.Role{Name: fmt.Sprintf("view%02d", n)}] = fixture.ReadsSecrets
		}
		return o
	}
	first := func(inv *inventory.Inventory, o reconcile.Observed, kind string) string {
		c := readComment(t, PlanMarkdown(plan.Diff(inv, powers(o), reconcile.Rules{})))
		for _, item := range c.first {
			if strings.HasPrefix(item, kind) {
				return item
			}
		}
		t.Fatalf("no %s: %q", kind, c.first)
		return ""
	}

	says(t, first(fixture.Inventory(t, roles.String()), fixture.Settled(fixture.Inventory(t, before.String())), "As good as cluster-admin"), "zed", "may do everything")

	inv := fixture.Inventory(t, keys.String())
	o := fixture.Settled(inv)
	for i := range inv.Users {
		o.Ledger[inv.Users[i].Name].Record.Certificates[0].PublicKeySHA256 = fmt.Sprintf("%064d", i)
		inv.Users[i].Request = fixture.Request(t, inv.Users[i].Name)
		inv.Users[i].Groups = []string{fmt.Sprintf("group%02d", i)} // so that no two do the same
	}
	says(t, first(inv, o, "Key changed"), "zed", "as good as cluster-admin: may do everything")

	o = fixture.Settled(fixture.Inventory(t, "users: []\n"))
	serve := func(kind reconcile.BindingKind, namespace, name, role, user string) {
		o.Bindings = append(o.Bindings, reconcile.Binding{Kind: kind, Namespace: namespace, Name: name,
			RoleRef: reconcile.RoleRef{Kind: "ClusterRole", Name: role}, Subjects: []reconcile.Subject{reconcile.UserSubject(user)}})
	}
	for n := range 60 {
		serve(reconcile.ClusterRoleBinding, "", fmt.Sprintf("noise%d", n), "view", "aaa")
	}
	serve(reconcile.RoleBinding, "kube-system", "admins", "cluster-admin", "zed")
	says(t, first(fixture.Inventory(t, "users: [{name: aaa}, {name: zed}]\n"), o, "Existing access"), "zed", "kube-system/admins", "is as good as cluster-admin (may do everything)")
}

// allRemovals is the limit that lets a plan remove everybody.
func allRemovals(t *testing.T) reconcile.Limit {
	var l reconcile.Limit
	if err := l.UnmarshalText([]byte("100%")); err != nil {
		t.Fatal(err)
	}
	return l
}
