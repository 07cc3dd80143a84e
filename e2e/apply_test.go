package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const team = `
groups:
  - {name: devs-OWNER, clusterRoles: [view], namespaces: {staging-OWNER: [edit]}}
users:
  - {name: alice@OWNER, groups: [devs-OWNER]}
  - {name: bob@OWNER, groups: [devs-OWNER]}
  - {name: carol@OWNER, namespaces: {payments-OWNER: [admin]}}
`

// settled is a fixture whose team has been applied.
func settled(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t, shared)
	f.namespace("staging")
	f.namespace("payments")
	f.write(team)
	f.must(0, "apply", "--yes")
	return f
}

// TestMainJob goes from a file to people who can work, and to one who cannot any more.
func TestMainJob(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	f.namespace("staging")
	f.namespace("payments")
	f.write(team)
	o := f.owner

	if r := f.must(2, "plan", "--detailed-exitcode"); !strings.Contains(r.stdout, "3 to issue, 3 to bind; 0 users unchanged") {
		t.Errorf("plan: %s", r.stdout)
	}
	if r := f.must(3, "apply"); !strings.Contains(r.stderr, "there is no terminal to ask for consent; set --yes, or --expect sha256:") {
		t.Errorf("apply without consent: %s", r.stderr)
	}
	if r := f.must(3, "apply", "--expect", "sha256:"+strings.Repeat("0", 64)); !strings.Contains(r.stderr, "not the expected") {
		t.Errorf("apply with another digest: %s", r.stderr)
	}
	if f.kv("state") != nil {
		t.Error("a refused apply wrote the state")
	}
	f.env = append(f.env, "CI_COMMIT_SHA=c0ffee")
	f.must(0, "apply", "--expect", f.plan().Digest)
	f.must(0, "plan", "--detailed-exitcode")

	alice, carol := f.userKubeconfig("alice@"+o), f.userKubeconfig("carol@"+o)
	who, err := f.tryKubectl(alice, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username} {.status.userInfo.groups}")
	if want := "alice@" + o + ` ["devs-` + o + `","system:authenticated"]`; err != nil || who != want {
		t.Errorf("whoami: %q, %v, want %q", who, err, want)
	}
	f.allowed(alice, "get", "pods", "--all-namespaces")
	f.allowed(alice, "create", "configmap", "x", "-n", "staging-"+o)
	f.forbidden(alice, "get", "secrets", "-n", "payments-"+o)
	f.forbidden(alice, "create", "configmap", "x", "-n", "payments-"+o)
	f.allowed(carol, "get", "secrets", "-n", "payments-"+o)
	f.forbidden(carol, "get", "pods", "-n", "staging-"+o)

	f.write(strings.Replace(team, "  - {name: alice@OWNER, groups: [devs-OWNER]}\n", "", 1))
	before := f.kv("ledger/alice@" + o)
	want := []string{"remove alice@" + o + " not-in-inventory", "update devs-" + o + " members-changed", "update devs-" + o + " members-changed"}
	if diff := cmp.Diff(want, f.plan().steps()); diff != "" {
		t.Error(diff)
	}
	issuedBy := f.kv("state")["runID"]
	f.must(0, "apply", "--yes", "--revision", "badcafe")
	f.forbidden(alice, "get", "pods", "--all-namespaces")
	f.forbidden(alice, "get", "configmaps", "-n", "staging-"+o)
	f.allowed(f.userKubeconfig("bob@"+o), "get", "pods", "--all-namespaces")
	if meta, err := f.vault.Logical().Read("secret/metadata/certsync/" + o + "/users/alice@" + o); meta != nil || err != nil {
		t.Errorf("metadata of the leaver's credential: %v, %v", meta, err)
	}
	record := f.kv("ledger/alice@" + o)
	certificate := record["certificates"].([]any)[0].(map[string]any)
	if record["state"] != "removed" || certificate["status"] != "revoked" {
		t.Errorf("the leaver's record: %v, %v", record["state"], certificate["status"])
	}
	if before["revision"] != "c0ffee" || before["run"] != issuedBy || record["revision"] != "badcafe" || record["run"] != f.kv("state")["runID"] || record["run"] == issuedBy {
		t.Errorf("the records do not tell the commits or the runs: %v %v, %v %v", before["revision"], before["run"], record["revision"], record["run"])
	}
	if certificate["sha256"] != before["certificates"].([]any)[0].(map[string]any)["sha256"] {
		t.Error("the ledger accounts for another certificate than the leaver has")
	}
	for _, n := range f.plan().Notes {
		until, _ := time.Parse(time.RFC3339, certificate["notAfter"].(string))
		if n.Kind == "live-certificate" && n.User == "alice@"+o && n.Until.Equal(until) {
			return
		}
	}
	t.Error("plan does not note until when the leaver's certificate lives")
}

func (f *fixture) allowed(kubeconfig string, args ...string) {
	f.Helper()
	if _, err := f.tryKubectl(kubeconfig, args...); err != nil {
		f.Errorf("kubectl %s: %v", strings.Join(args, " "), err)
	}
}

// forbidden expects the API server's own 403.
func (f *fixture) forbidden(kubeconfig string, args ...string) {
	f.Helper()
	out, err := f.tryKubectl(kubeconfig, args...)
	if err == nil || !strings.Contains(strings.ToLower(err.Error()), "forbidden") {
		f.Errorf("kubectl %s: %v, want it to be forbidden\n%s", strings.Join(args, " "), err, out)
	}
}
