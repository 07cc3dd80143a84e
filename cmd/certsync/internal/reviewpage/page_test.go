package reviewpage

import (
	"encoding/csv"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/review"
)

// bound adds a binding that is not certsync's.
func bound(o *reconcile.Observed, name, namespace, kind, subject, role string) {
	b := reconcile.Binding{Kind: reconcile.ClusterRoleBinding, Namespace: namespace, Name: name, UID: name, CreatedAt: fixture.Noon.AddDate(0, -1, 0),
		RoleRef: reconcile.RoleRef{Kind: "ClusterRole", Name: role}, Subjects: []reconcile.Subject{{Kind: kind, APIGroup: reconcile.RBACGroup, Name: subject}}}
	if namespace != "" {
		b.Kind = reconcile.RoleBinding
	}
	o.Bindings = append(o.Bindings, b)
}

// sample is a review in which there is something of everything.
func sample(t *testing.T) review.Review {
	t.Helper()
	inv := fixture.Inventory(t, strings.Replace(fixture.Team, "namespaces: {payments: [edit]}", "namespaces: {payments: [{name: edit, until: 2026-03-09}]}", 1))
	o := fixture.Settled(inv)
	bound(&o, "breakglass", "", "Group", "ops", "admin")
	bound(&o, "old", "payments", "User", "zoe", "view")
	gone := o.Ledger["carol@example.com"]
	record := *gone.Record
	record.User, record.State, record.Reason, record.Run, record.Revision = "dave@example.com", reconcile.Removed, string(reconcile.NotInInventory), "run-7", "c0ffee1234567890"
	record.Certificates = nil
	o.Ledger["dave@example.com"] = reconcile.LedgerEntry{Version: 1, Record: &record}
	return review.Of(inv, o, reconcile.Rules{})
}

// TestHTML: the page shows what matters, and needs nothing from anywhere.
func TestHTML(t *testing.T) {
	r := sample(t)
	earlier := review.Of(fixture.Inventory(t, fixture.Team), fixture.FirstRun(), reconcile.Rules{})
	earlier.At = earlier.At.Add(-1)
	if err := r.Compare(earlier); err != nil {
		t.Fatal(err)
	}
	text, err := HTML(r)
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for _, want := range []string{
		"Access review of prod-eu", r.Digest, "alice@example.com", "may read Secrets", "breakglass", "dave@example.com", "run-7", "c0ffee123456",
		"Group ops", "User zoe", "ClusterRole edit", "2026-03-09", "Changes since", "Sign-off",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if found := regexp.MustCompile(`(?i)(src|href)="?(https?:)?//|@import|url\(|<link|<img|<iframe`).FindString(page); found != "" {
		t.Errorf("the page refers to something outside: %s", found)
	}
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if ids[m[1]] {
			t.Errorf("id %s is there twice", m[1])
		}
		ids[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`href="#([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if !ids[m[1]] {
			t.Errorf("a link leads to #%s, which is not there", m[1])
		}
	}
	if !r.Population.Agrees() {
		t.Errorf("%+v", r.Population)
	}
}

// TestReviewOfBeginnings: the page and the table say when somebody begins, who is no leaver.
func TestReviewOfBeginnings(t *testing.T) {
	inv := fixture.Inventory(t, strings.Replace(fixture.Team, "users:\n", "users:\n  - {name: dora@example.com, from: 2026-04-01, protected: true, reason: new <b>, clusterRoles: [view, {name: edit, from: 2026-04-02, ticket: OPS-7}]}\n", 1))
	r := review.Of(inv, fixture.Settled(fixture.Inventory(t, fixture.Team)), reconcile.Rules{})
	if all := leaversOf(r); len(all) > 0 {
		t.Errorf("leavers: %+v", all)
	}
	text, err := HTML(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Access begins 2026-04-01 00:00.", "<strong>not-begun, from 2026-04-02 00:00</strong>", "Protected. Why: new &lt;b&gt;.", "Ticket: OPS-7."} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	table, err := CSV(r)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(string(table))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	at := slices.Index(rows[0], "from")
	var got []string
	for _, row := range rows {
		if row[1] == "dora@example.com" {
			got = append(got, strings.Join(append([]string{row[7], row[11]}, row[at:]...), " "))
		}
	}
	if diff := cmp.Diff([]string{"edit not-begun 2026-04-02T00:00:00Z  OPS-7 true", "view not-begun 2026-04-01T00:00:00Z new <b>  true"}, got); diff != "" {
		t.Error(diff)
	}
}

// hostile are names that others choose.
var hostile = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `'-alert(1)-'`, `</style><script>alert(1)</script>`, "=cmd|' /C calc'!A0", "+1", "-1", "\uff1dx", "x;=1", "@SUM(A1)", "\tx", "\r=1", fixture.Hostile,
	"{{.Owner}}", `javascript:alert(1)`,
}

// TestHostileNames: whatever a binding, a role, a group or a subject is called, the page has no tag of it and the table no formula.
func TestHostileNames(t *testing.T) {
	inv := fixture.Inventory(t, fixture.Team)
	for i, text := range hostile { // an inventory takes those of them that are printed
		inv.Users = append(inv.Users, inventory.User{Name: fmt.Sprintf("u%d@example.com", i), Expiration: time.Hour, Protected: true, Why: inventory.Why{Reason: text, Ticket: text},
			ClusterRoles: []inventory.Grant{{ClusterRole: "view", Why: inventory.Why{Reason: text, Ticket: text}}}})
	}
	o := fixture.Settled(inv)
	for _, name := range hostile {
		bound(&o, name, "", "User", name, name)
		bound(&o, name, name, "Group", name, name)
		bound(&o, name+"2", "", "User", "alice@example.com", name)
		o.Rules[reconcile.Role{Name: name}] = []reconcile.Rule{{Verbs: []string{name}, Groups: []string{name}, Resources: []string{name}}}
	}
	r := review.Of(inv, o, reconcile.Rules{})
	earlier := review.Of(inv, fixture.FirstRun(), reconcile.Rules{})
	earlier.At = earlier.At.Add(-1)
	if err := r.Compare(earlier); err != nil {
		t.Fatal(err)
	}
	text, err := HTML(r)
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	if n := strings.Count(page, "<script"); n != 1 {
		t.Errorf("%d scripts", n)
	}
	for _, bad := range []string{"<img", "onerror=alert(1)>", "</style><script"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	table, err := CSV(r)
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsFunc(string(table), func(r rune) bool { return r < ' ' && r != '\r' && r != '\n' }) {
		t.Error("the table has control characters")
	}
	rows, err := csv.NewReader(strings.NewReader(string(table))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		for _, c := range row {
			if c != "" && strings.IndexAny(c, "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20") == 0 {
				t.Errorf("cell %q is a formula", c)
			}
		}
	}
}

// TestCSV: a row for each access, one for somebody without any, and as many columns everywhere.
func TestCSV(t *testing.T) {
	table, err := CSV(sample(t))
	if err != nil {
		t.Fatal(err)
	}
	fixture.Golden(t, "testdata/review.csv", string(table))
}

// TestMatrix: people with the same roles share a row, the strongest come first, and each scope is a column.
func TestMatrix(t *testing.T) {
	m := matrixOf(sample(t))
	if diff := cmp.Diff([]string{"", "payments", "staging"}, m.Scopes); diff != "" {
		t.Error(diff)
	}
	var rows []string
	for _, row := range m.Rows {
		text := strings.Join(row.People, " ") + ":"
		for _, c := range row.Cells {
			text += " " + letter(c.Strength) + "/" + c.Roles
		}
		rows = append(rows, text)
	}
	want := []string{"alice@example.com: A/admin, view / R/edit", "carol@example.com: / R/edit /", "bob@example.com: /view / R/edit"}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Error(diff)
	}
}

// TestTimeline: days at first, then months.
func TestTimeline(t *testing.T) {
	var got []string
	for _, b := range timelineOf(sample(t)) {
		got = append(got, b.Label+" "+strings.Join(b.Names, ","))
	}
	if diff := cmp.Diff([]string{"2026-03-08 ", "2026-03-09 carol@example.com"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestEmpty: an owner without anybody has a page too.
func TestEmpty(t *testing.T) {
	text, err := HTML(review.Of(&inventory.Inventory{Owner: "empty"}, fixture.FirstRun(), reconcile.Rules{}))
	if err != nil || !strings.Contains(string(text), "Nobody.") {
		t.Error(err)
	}
}
