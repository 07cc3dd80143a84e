package reviewpage

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/review"
	"github.com/certsync/certsync/reconcile/usage"
)

// pages is where the test writes pages for a browser, see e2e/page.
var pages = flag.String("pages", "", "write pages of 500 and 5,000 people into this folder")

// company is a review of that many people in teams of 25 and 40 namespaces. Some have roles of their own, some left, and some access
// is not certsync's.
func company(t testing.TB, people int) review.Review {
	t.Helper()
	var b strings.Builder
	b.WriteString("groups:\n  - {name: platform, clusterRoles: [admin]}\n")
	teams := (people + 24) / 25
	for i := range teams {
		fmt.Fprintf(&b, "  - {name: team-%03d, clusterRoles: [view], namespaces: {ns-%02d: [edit], ns-%02d: [view]}}\n", i, i%40, (i+7)%40)
	}
	b.WriteString("users:\n")
	for i := range people {
		groups := fmt.Sprintf("team-%03d", i/25)
		if i%100 == 0 {
			groups += ", platform"
		}
		own := ""
		if i%10 == 3 {
			own = fmt.Sprintf(", namespaces: {ns-%02d: [{name: admin, until: 2026-%02d-15}]}", i/10%40, 3+i%9)
		}
		fmt.Fprintf(&b, "  - {name: person%05d@example.com, groups: [%s]%s}\n", i, groups, own)
	}
	inv := fixture.Inventory(t, b.String())
	o := fixture.Settled(inv)
	o.Rules = map[reconcile.Role][]reconcile.Rule{
		{Name: "view"}:  {{Verbs: []string{"get", "list"}, Groups: []string{""}, Resources: []string{"pods"}}},
		{Name: "edit"}:  {{Verbs: []string{"create"}, Groups: []string{"apps"}, Resources: []string{"deployments"}}},
		{Name: "admin"}: {{Verbs: []string{"get"}, Groups: []string{""}, Resources: []string{"secrets"}}, {Verbs: []string{"create"}, Groups: []string{reconcile.RBACGroup}, Resources: []string{"rolebindings"}}},
	}
	bound(&o, "breakglass", "", "Group", "ops", "admin")
	bound(&o, "old-hand", "", "User", "root@example.com", "admin")
	bound(&o, "everybody", "", "Group", "system:authenticated", "view")
	for i := range people / 50 {
		name := fmt.Sprintf("left%04d@example.com", i)
		fixture.Issue(o, name, []string{"ops"}, fixture.Noon.Add(-2*time.Hour))
		e := o.Ledger[name]
		e.Record.State, e.Record.Reason, e.Record.Run, e.Record.Revision = reconcile.Removed, string(reconcile.NotInInventory), "run-12", "c0ffee12345678"
		e.Record.Certificates[0].Status = reconcile.Revoked
		n := o.State.Names[name]
		n.Left, n.Stored = true, false
		o.State.Names[name] = n
		delete(o.Credentials, name)
	}
	r := review.Of(inv, o, reconcile.Rules{})
	earlier := review.Of(inv, fixture.FirstRun(), reconcile.Rules{})
	earlier.At = earlier.At.Add(-time.Hour)
	if err := r.Compare(earlier); err != nil {
		t.Fatal(err)
	}
	log := usage.Log{From: fixture.Noon.AddDate(0, -1, 0), To: fixture.Noon, Events: 5, Requests: 5, Users: map[string]usage.User{}}
	r.AddUse(log, nil)
	return r
}

// TestCompanies: pages of 500 and of 5,000 people are made, add up, and are of a size that a browser takes.
func TestCompanies(t *testing.T) {
	for _, people := range []int{500, 5000} {
		r := company(t, people)
		if !r.Population.Agrees() {
			t.Errorf("%d people: %+v", people, r.Population)
		}
		page, err := HTML(r)
		if err != nil {
			t.Fatal(err)
		}
		if limit := 6000 * people; len(page) > limit {
			t.Errorf("the page of %d people has %d bytes, more than %d", people, len(page), limit)
		}
		if *pages != "" {
			if err := os.WriteFile(filepath.Join(*pages, fmt.Sprintf("%d.html", people)), page, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}
