package render

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/plan"
)

// TestPlanMarkdown compares plans as comments.
func TestPlanMarkdown(t *testing.T) {
	all := plans(t)
	all["monday"] = monday(t)
	for name, plan := range all {
		t.Run(name, func(t *testing.T) {
			text := PlanMarkdown(plan)
			fixture.Golden(t, filepath.Join("testdata/markdown", name+".md"), string(text))
			saysAll(t, plan, readComment(t, text))
			before, err := json.Marshal(plan)
			if err != nil {
				t.Fatal(err)
			}
			if again := PlanMarkdown(plan); string(again) != string(text) {
				t.Error("the second rendering has other bytes")
			}
			if after, _ := json.Marshal(plan); string(after) != string(before) {
				t.Error("rendering changes the plan")
			}
		})
	}
}

// visible is the text that readers see of a name.
func visible(s string) string {
	if s = inventory.Shorten(terminal.Clean(s), maxNameLength); s == "" {
		return "(empty)"
	}
	return fewBackticks(s)
}

func fewBackticks(s string) string {
	for n := 64; n >= 8; n-- {
		s = strings.ReplaceAll(s, strings.Repeat("`", n), strings.Repeat(`\u0060`, n))
	}
	return s
}

func visibleInCell(s string) string {
	return visible(strings.ReplaceAll(terminal.Clean(s), `\|`, `\u005c|`))
}

// saysAll checks that a comment that is not shortened shows all of a plan.
func saysAll(t testing.TB, plan reconcile.Plan, c parsedComment) {
	t.Helper()
	var want [][]string
	for _, r := range rows(plan, visibleInCell) {
		want = append(want, []string{strings.TrimSpace(r.who), strings.TrimSpace(r.what), r.why})
	}
	if diff := cmp.Diff(want, c.table); diff != "" {
		t.Errorf("the table: %s", diff)
	}
	first := strings.Join(c.first, "\n")
	for _, why := range plan.Forbidden {
		says(t, first, "Refused", visibleProse(why))
	}
	bound := strings.Contains(first, "of these") // and then not all of a kind are there
	for _, s := range plan.Held() {
		if says(t, first, "Held"); !bound {
			says(t, first, visibleProse(s.Held))
		}
	}
	notes := strings.Join(slices.Concat(c.first, c.details["Notes"], c.details["Certificates that stay valid"]), "\n")
	for _, n := range plan.Notes {
		if !bound || n.Kind != reconcile.ExistingAccess {
			says(t, notes, visibleProse(n.Message))
		}
	}
	for _, s := range plan.Steps {
		if s.Action == reconcile.Remove && s.Held == "" {
			says(t, first, "Removed", visible(s.User))
		}
		if s.Held == "" && plan.Powerful(s) != "" {
			says(t, first, "As good as cluster-admin", plan.Powerful(s))
		}
		if s.Held == "" && slices.Contains(s.Reasons, reconcile.RequestChanged) && !bound {
			says(t, first, "Key changed", visible(s.User), s.Detail.PublicKeySHA256)
		}
	}
	all := strings.Join(c.details["All steps"], "\n")
	for _, s := range plan.Steps {
		if s.Why != nil {
			says(t, all, visibleProse(s.Why.Reason), visibleProse(s.Why.Ticket))
		}
	}
	if len(c.details["All steps"]) != len(plan.Steps) {
		t.Errorf("%d of %d steps", len(c.details["All steps"]), len(plan.Steps))
	}
	if plan.Changes() {
		want := []string{"certsync apply --expect " + plan.Digest() + "\n"}
		if diff := cmp.Diff(want, c.fences); diff != "" {
			t.Error(diff)
		}
	}
}

func visibleProse(s string) string {
	return fewBackticks(inventory.Shorten(terminal.Clean(s), maxMessageLength))
}

func says(t testing.TB, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("does not say %q: %s", w, text)
		}
	}
}

// fragments are texts that a parser could read as markup, a mention, a link or a command.
var fragments = []string{"`", "``", "|", `\|`, `\\|`, `\`, "<details>", "</details>", "<summary>x", "<!--", "-->", "<script>", "@example", "#123", "GH-12", "!5",
	"http://example.com/x", "www.example.com", "eve@example.com", "**", "__", "~~", "*a*", "[x](y)", "![x](y)", "[x]: y", "\n", "\r\n", "\n\n", "\t", " ", "  ",
	"\u202e", "\u2066", "\u200d", "\x00", "\x1b[2J", "&lt;", "&#64;", "$`", "`$", ":smile:", "\n# x", "\n| a | b |\n|---|---|\n", "\n---\n", "\n/close", "/close",
	"- [ ] x", "deadbeefdeadbeef", strings.Repeat("`", 12), strings.Repeat("|", 9), "日本", "\"", "'", "(", ")", "(@x)", "\"@x\"y", "0.", "1)", ">", "&", "=", "\xff"}

func hostileText(r *rand.Rand) string {
	var b strings.Builder
	for range 1 + r.IntN(5) {
		b.WriteString(fragments[r.IntN(len(fragments))])
	}
	return b.String()
}

// hostileRole returns a cluster role as hostile as an inventory allows.
func hostileRole(s string) string {
	s = strings.Map(func(r rune) rune {
		if !inventory.ValidRole("x" + string(r)) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "")
	}
	if !inventory.ValidRole(s) {
		return "view"
	}
	return s
}

// hostileWhy returns fields with texts as hostile as an inventory allows.
func hostileWhy(reason, ticket string) string {
	clean := func(s string) string {
		s = strings.Map(func(r rune) rune {
			if !unicode.IsPrint(r) {
				return -1
			}
			return r
		}, strings.ToValidUTF8(s, ""))
		return string([]rune("x" + s)[:min(len([]rune(s))+1, 200)])
	}
	return fmt.Sprintf("reason: %q, ticket: %q", clean(reason), clean(ticket))
}

// hostilePlan has hostile names in the inventory, and hostile text from the cluster and from Vault everywhere.
func hostilePlan(t testing.TB, seed uint64) reconcile.Plan {
	r := rand.New(rand.NewPCG(seed, 3))
	next := func() string { return hostileText(r) + hostileText(r) }
	users := []string{"a.b@example.com", "a_b_c", "x@example", "a--b", "A+b-c_d.e", strings.Repeat("n", 64), "www.example.com", "1"}
	world := func() string {
		role := func() string {
			return fmt.Sprintf("{name: %q, from: %s, %s}", hostileRole(next()), []string{"2025-01-01", "2027-01-01"}[r.IntN(5)/4], hostileWhy(next(), next()))
		}
		text := fmt.Sprintf("groups:\n  - {name: d_e_v, clusterRoles: [%s], namespaces: {staging: [%s]}}\n  - {name: www.example.org, clusterRoles: [%s]}\nusers:\n", role(), role(), role())
		for _, u := range users {
			if r.IntN(4) > 0 {
				text += fmt.Sprintf("  - {name: %q, groups: [[d_e_v, www.example.org][%d:]], clusterRoles: [%s], %s}\n", u, r.IntN(2), role(), hostileWhy(next(), next()))
			}
		}
		return strings.NewReplacer("[[d_e_v, www.example.org][0:]]", "[d_e_v, www.example.org]", "[[d_e_v, www.example.org][1:]]", "[www.example.org]").Replace(text)
	}
	parsed := func(text string) *inventory.Inventory {
		inv, err := inventory.Parse("users.yaml", []byte("apiVersion: certsync.dev/v1\nkind: Inventory\nowner: prod-eu\n"+text), nil)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		return inv
	}
	before := parsed(world())
	o := fixture.Settled(before)
	for i := range o.Bindings {
		switch b := &o.Bindings[i]; r.IntN(4) {
		case 0:
			b.Subjects = append(b.Subjects, reconcile.UserSubject(next()), reconcile.Subject{Kind: "ServiceAccount", Namespace: next(), Name: next()})
		case 1:
			b.Owner = ""
		}
	}
	for _, u := range users {
		o.Bindings = append(o.Bindings, reconcile.Binding{Kind: reconcile.ClusterRoleBinding, Name: next(), RoleRef: reconcile.RoleRef{Kind: next(), Name: next()},
			Subjects: []reconcile.Subject{reconcile.UserSubject(u), {Kind: "Group", APIGroup: reconcile.RBACGroup, Name: "d_e_v"}}})
	}
	fixture.Bind(&o, reconcile.Grant{For: reconcile.ForUser, Subject: next(), Namespace: next(), Role: next(), Part: 1}, next())
	o.Ledger[users[r.IntN(len(users))]] = reconcile.LedgerEntry{Version: 2, Problem: next()}
	o.UnknownEntries = []string{next()}
	o.Requests = []reconcile.Request{{Name: next(), User: next(), RequestedBy: next(), CreatedAt: fixture.Noon, State: "denied", Reason: next(), Message: next()}}
	o.State.StartedBy = next()
	if r.IntN(3) == 0 {
		o.State.ClusterUID = next()
	}
	rules := []reconcile.Rules{{}, {Policy: reconcile.CreateOnly}, {Protect: users, Namespace: "staging"}}
	return plan.Diff(parsed(world()), o, rules[r.IntN(len(rules))])
}

// TestHostileMarkdown: whatever names and messages hold, a comment has only the markup that PlanMarkdown writes. The seeds are
// always the same.
func TestHostileMarkdown(t *testing.T) {
	seeds := uint64(150)
	if os.Getenv("CERTSYNC_SOAK") != "" && !raceDetector {
		seeds = 5000
	}
	for seed := range seeds {
		plan := hostilePlan(t, seed)
		saysAll(t, plan, readComment(t, PlanMarkdown(plan)))
		if t.Failed() {
			t.Fatalf("seed %d:\n%s", seed, PlanMarkdown(plan))
		}
	}
}
