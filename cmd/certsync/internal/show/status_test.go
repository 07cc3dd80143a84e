package show

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/status"
)

// statuses are the reports in testdata/text, by the names of the files.
func statuses(t *testing.T) map[string]status.Report {
	inv := fixture.Inventory(t, fixture.Team)
	mixed := fixture.Settled(inv)
	for user, state := range map[string]reconcile.RecordState{"dan@example.com": reconcile.Removed, "erin@example.com": reconcile.Active, "fay@example.com": reconcile.Denied, "gus@example.com": reconcile.Removed} {
		fixture.Issue(mixed, user, []string{"developers"}, fixture.Noon.Add(-time.Hour))
		rec := mixed.Ledger[user].Record
		rec.State, rec.Reason = state, "not-in-inventory"
		if user == "gus@example.com" {
			rec.Reason = string(reconcile.UntilPassed)
		}
		rec.Certificates[0].Serial, rec.Certificates[0].SHA256 = "4e074085", strings.Repeat("62bedb8b", 8)
		if state != reconcile.Active {
			delete(mixed.Credentials, user)
		}
	}
	mixed.Ledger["fay@example.com"].Record.Reason = `CertificateSigningRequest certsync-x was denied at 2026-02-28T10:00:00Z: "not before Monday" (reason "Office")`
	mixed.Ledger["fay@example.com"].Record.Certificates = nil
	mixed.Ledger["dan@example.com"].Record.Certificates[0].Status = reconcile.Revoked
	mixed.Credentials["carol@example.com"] = reconcile.CredentialMeta{CurrentVersion: 4}
	fixture.ChangeBinding(&mixed, fixture.DevsView, func(b *reconcile.Binding) {
		b.Subjects = append(b.Subjects[1:], reconcile.UserSubject("erin@example.com"))
	})
	fixture.ChangeBinding(&mixed, fixture.AliceAdmin, func(b *reconcile.Binding) { b.Owner = "" })
	more := fixture.Team + `
  - {name: fay@example.com, clusterRoles: [{name: view, until: 2026-02-01}, {name: edit, until: 2026-12-31}]}
  - {name: gus@example.com, groups: [developers], until: 2026-02-01}
  - {name: hal@example.com, groups: [developers], until: 2026-12-31}
  - {name: somebody.with.a.very.long.name+and.a.tag@department.example.com, groups: [developers]}
`
	many := "groups:\n  - {name: developers, clusterRoles: [view]}\n  - {name: on-call, namespaces: {payments: [admin]}}\n  - {name: all-the-others}\nusers:\n"
	for n := range 300 {
		many += fmt.Sprintf("  - {name: user%03d@example.com, groups: [developers, on-call, all-the-others], clusterRoles: [view, edit]}\n", n)
	}
	open := fixture.Settled(inv)
	open.Bindings = append(open.Bindings, reconcile.Binding{Kind: reconcile.ClusterRoleBinding, Name: "open-house", RoleRef: reconcile.RoleRef{Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects: []reconcile.Subject{{Kind: "Group", APIGroup: reconcile.RBACGroup, Name: "system:authenticated"}}})
	later := strings.NewReplacer(
		"users:\n", "users:\n  - {name: dora@example.com, from: 2026-04-01, reason: new in the team, ticket: OPS-7, clusterRoles: [{name: view, reason: reads logs}]}\n  - {name: emil@example.com, from: 2026-04-01T08:00:00Z, until: 2026-04-30}\n",
		"name: bob@example.com,", "name: bob@example.com, from: 2026-03-09, protected: true,",
		"payments: [edit]", "payments: [edit, {name: admin, from: 2026-03-09T08:00:00Z}]",
	).Replace(fixture.Team)
	return map[string]status.Report{
		"status-later":   status.Of(fixture.Inventory(t, later), fixture.Settled(inv), reconcile.Rules{}),
		"status-open":    status.Of(inv, open, reconcile.Rules{}),
		"status-nobody":  status.Of(fixture.Inventory(t, "users: []"), fixture.FirstRun(), reconcile.Rules{}),
		"status-first":   status.Of(inv, fixture.FirstRun(), reconcile.Rules{}),
		"status-settled": status.Of(inv, fixture.Settled(inv), reconcile.Rules{}),
		"status-mixed":   status.Of(fixture.Inventory(t, more), mixed, reconcile.Rules{}),
		"status-hostile": status.Of(inv, fixture.Hostilities(inv), reconcile.Rules{}),
		"status-own-key": status.Of(fixture.OwnKey(t), requested(inv), reconcile.Rules{}),
		"status-300":     status.Of(fixture.Inventory(t, many), fixture.Settled(fixture.Inventory(t, many)), reconcile.Rules{}),
	}
}

// requested is an observation with a certificate for Alice's own key, and a second one that the signer may have issued. Dan
// left while the signer may have issued his.
func requested(inv *inventory.Inventory) reconcile.Observed {
	const print = "4e07408562bedb8b60ce05c1decfe3ad16b72230967de01f640b7e4729b49fce"
	o := fixture.Settled(inv)
	alice := o.Ledger["alice@example.com"].Record
	alice.Certificates[0].Serial, alice.Certificates[0].SHA256, alice.Certificates[0].PublicKeySHA256 = "4e074085", strings.Repeat("62bedb8b", 8), print
	asked := reconcile.CertificateEntry{Status: reconcile.Requested, IssuedAt: fixture.Noon, NotAfter: fixture.Noon.Add(10 * 24 * time.Hour), Groups: []string{"developers"}, PublicKeySHA256: print}
	alice.Certificates = append(alice.Certificates, asked)
	asked.Status = reconcile.Revoked
	fixture.Issue(o, "dan@example.com", nil, fixture.Noon.Add(-time.Hour))
	dan := o.Ledger["dan@example.com"].Record
	dan.State, dan.Reason, dan.Certificates = reconcile.Removed, "not-in-inventory", []reconcile.CertificateEntry{asked}
	delete(o.Credentials, "dan@example.com")
	return o
}

// TestStatusText compares reports as text, as text in colour, and as JSON.
func TestStatusText(t *testing.T) {
	for name, report := range statuses(t) {
		t.Run(name, func(t *testing.T) {
			for suffix, render := range map[string]func(status.Report, terminal.Palette) []byte{
				".txt":      func(r status.Report, c terminal.Palette) []byte { return Status(r, c, false) },
				"-wide.txt": func(r status.Report, c terminal.Palette) []byte { return Status(r, c, true) },
				"-user.txt": Users} {
				text := string(render(report, false))
				fixture.Harmless(t, text)
				if plain := fixture.Colours.ReplaceAllString(string(render(report, true)), ""); plain != text {
					t.Errorf("colour changes more than the colour:\n%s", plain)
				}
				if name == "status-300" && suffix == "-user.txt" {
					continue // 3,000 lines that tell nothing new
				}
				fixture.Golden(t, filepath.Join("testdata/text", name+suffix), text)
			}
			for _, line := range strings.Split(string(Status(report, false, false)), "\n") {
				if name != "status-hostile" && utf8.RuneCountInString(line) > terminal.LineWidth {
					t.Errorf("too wide: %q", line)
				}
			}
			if name != "status-mixed" {
				return
			}
			fixture.Golden(t, filepath.Join("testdata/text", name+".colour"), string(Status(report, true, false)))
			asJSON, err := json.MarshalIndent(report, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			fixture.Golden(t, filepath.Join("testdata/text", name+".json"), string(asJSON)+"\n")
		})
	}
}

// TestFitted: items without room are counted.
func TestFitted(t *testing.T) {
	for sentence, c := range map[string]struct {
		items []string
		room  int
		want  string
	}{
		"nothing":                  {nil, 16, ""},
		"all":                      {[]string{"view", "a", "b"}, 10, "view, a, b"},
		"the last one is too much": {[]string{"view", "a", "bcd"}, 20, "view, a, bcd"},
		"room for the count too":   {[]string{"view", "edit", "admin"}, 15, "view and 2 more"},
		"room for the first only":  {[]string{"a-long-role", "edit"}, 12, "a-long-role…"},
		"no room for any":          {[]string{strings.Repeat("a", 17), "b"}, 16, "2 in all"},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := fitted(c.items, c.room); got != c.want || utf8.RuneCountInString(got) > c.room {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
