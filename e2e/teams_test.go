package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const withTeams = `
groups:
  - {name: admins-OWNER, namespaces: {payments-OWNER: [admin], search-OWNER: [admin]}}
  - {name: payments-OWNER, namespaces: {payments-OWNER: [edit]}}
  - {name: search-OWNER, namespaces: {search-OWNER: [edit]}}
  - {name: viewers-OWNER, clusterRoles: [view]}
users:
  - {name: alice@OWNER, groups: [admins-OWNER]}
teams:
  - {name: payments, file: teams/payments.yaml, groups: [payments-OWNER, viewers-OWNER], maxExpiration: 1h}
  - {name: search, file: teams/search.yaml, groups: [search-OWNER, viewers-OWNER], maxExpiration: 1h}
`

// writeTeam saves a team's file. OWNER stands for the fixture's owner.
func (f *fixture) writeTeam(name, users string) {
	f.Helper()
	text := strings.ReplaceAll("apiVersion: certsync.dev/v1\nkind: TeamInventory\nteam: "+name+"\nusers:"+users, "OWNER", f.owner)
	if err := os.MkdirAll(filepath.Join(f.dir, "teams"), 0o700); err != nil {
		f.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.dir, "teams", name+".yaml"), []byte(text), 0o600); err != nil {
		f.Fatal(err)
	}
}

// TestTeams: people whom teams name in their files have what the inventory gives to the team's groups, within its time, and
// nothing that a team takes for itself. Who moves from one file to another stays who they are.
func TestTeams(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	f.namespace("payments")
	f.namespace("search")
	o := f.owner
	f.write(withTeams)
	f.writeTeam("payments", `
  - {name: bob@OWNER, groups: [viewers-OWNER]}
  - {name: carol@OWNER, groups: [payments-OWNER, viewers-OWNER], expiration: 30m}
`)
	f.writeTeam("search", ` [{name: erin@OWNER, groups: [search-OWNER]}]`)

	if r := f.must(2, "plan", "--detailed-exitcode"); !strings.Contains(r.stdout, "4 to issue, 5 to bind; 0 users unchanged") {
		t.Errorf("plan: %s", r.stdout)
	}
	f.must(0, "apply", "--yes")
	f.must(0, "plan", "--detailed-exitcode")
	carol := f.userKubeconfig("carol@" + o)
	f.allowed(carol, "create", "configmap", "x", "-n", "payments-"+o)
	f.allowed(carol, "get", "pods", "--all-namespaces")
	f.forbidden(carol, "get", "secrets", "-n", "search-"+o)
	for user, most := range map[string]time.Duration{"bob": time.Hour, "carol": 30 * time.Minute} {
		_, certificates := f.record(user + "@" + o)
		begin, _ := time.Parse(time.RFC3339, certificates[0]["notBefore"].(string))
		end, _ := time.Parse(time.RFC3339, certificates[0]["notAfter"].(string))
		if lives := end.Sub(begin); lives > most+5*time.Minute || lives < most { // the signer begins 5 minutes back
			t.Errorf("the certificate of %s lives for %s", user, lives)
		}
	}

	f.writeTeam("search", `
  - {name: erin@OWNER, groups: [search-OWNER, admins-OWNER]}
`)
	r := f.must(1, "apply", "--yes")
	column := len("  - {name: erin@"+o+", groups: [search-"+o+", ") + 1
	want := fmt.Sprintf("teams/search.yaml:5:%d: users[0].groups[1]: group %q is not given to team \"search\" in users.yaml\n", column, "admins-"+o)
	if diff := cmp.Diff(want, r.stderr); diff != "" {
		t.Error(diff)
	}

	before := f.kv("users/bob@" + o)
	f.writeTeam("payments", ` []`)
	f.writeTeam("search", `
  - {name: erin@OWNER, groups: [search-OWNER]}
  - {name: bob@OWNER, groups: [viewers-OWNER]}
  - {name: carol@OWNER, groups: [search-OWNER, viewers-OWNER]}
`)
	moved := []string{"reissue carol@" + o + " groups-changed", "unbind payments-" + o + " members-changed", "update search-" + o + " members-changed"}
	if diff := cmp.Diff(moved, sorted(f.plan().steps())); diff != "" {
		t.Error(diff)
	}
	f.must(0, "apply", "--yes")
	if diff := cmp.Diff(before, f.kv("users/bob@"+o)); diff != "" {
		t.Error("who moved to another file with the same groups got another certificate")
	}
	f.allowed(f.userKubeconfig("bob@"+o), "get", "pods", "--all-namespaces")
	f.allowed(f.userKubeconfig("carol@"+o), "create", "configmap", "x", "-n", "search-"+o)
	f.forbidden(carol, "create", "configmap", "y", "-n", "payments-"+o)
}
