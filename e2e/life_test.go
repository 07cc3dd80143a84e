package e2e

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// record is what the ledger says of a user.
func (f *fixture) record(user string) (state string, certificates []map[string]any) {
	f.Helper()
	data := f.kv("ledger/" + user)
	for _, c := range asList(data["certificates"]) {
		certificates = append(certificates, c.(map[string]any))
	}
	state, _ = data["state"].(string)
	return state, certificates
}

func asList(v any) []any { list, _ := v.([]any); return list }

// statuses lists what the ledger's certificates of a user are.
func (f *fixture) statuses(user string) []string {
	f.Helper()
	var all []string
	_, certificates := f.record(user)
	for _, c := range certificates {
		all = append(all, c["status"].(string))
	}
	return sorted(all)
}

// punctual is a user whose renewal comes early in the tenth of a certificate's life over which renewals are spread.
func punctual(owner string) string {
	for n := 0; ; n++ {
		user := fmt.Sprintf("user%d@%s", n, owner)
		sum := sha256.Sum256([]byte(owner + "\x00" + user))
		if binary.BigEndian.Uint64(sum[:8]) < math.MaxUint64/60 {
			return user
		}
	}
}

// TestRenewal: a certificate that is due is replaced by check-and-set, the key before it is destroyed, and the
// certificate before it stays in the ledger. The least that Kubernetes gives, 10 minutes, is due after one.
func TestRenewal(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	user := punctual(f.owner)
	f.write("defaults: {expiration: 10m, renewBefore: 90%}\nusers: [{name: " + user + ", clusterRoles: [view]}]")
	f.must(0, "apply", "--yes")
	if p := f.plan(); p.Changes {
		t.Errorf("at once: %q", p.steps())
	}
	before := f.userKubeconfig(user)
	digest := f.plan().Digest
	eventually(t, 90*time.Second, "the certificate to be due", func() bool { return f.plan().Changes })
	if diff := cmp.Diff([]string{"renew " + user + " expiring"}, f.plan().steps()); diff != "" {
		t.Error(diff)
	}
	if f.plan().Digest != digest {
		t.Error("a renewal is part of the digest")
	}
	f.must(0, "apply", "--yes", "--drift", "--hold")
	if diff := cmp.Diff([]string{"current", "superseded"}, f.statuses(user)); diff != "" {
		t.Error(diff)
	}
	f.allowed(before, "get", "pods", "-A") // until it expires
	f.allowed(f.userKubeconfig(user), "get", "pods", "-A")
	meta, err := f.vault.KVv2("secret").GetMetadata(t.Context(), "certsync/"+f.owner+"/users/"+user)
	if err != nil || meta.CurrentVersion != 2 || !meta.Versions["1"].Destroyed {
		t.Errorf("metadata %+v, %v", meta, err)
	}
}

// eventually waits for a condition that the servers bring about.
func eventually(t testing.TB, within time.Duration, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); !is(); time.Sleep(time.Second) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for %s", within, what)
		}
	}
}

// TestUntil: a grant and a user end at the first run after their time; the name begins no epoch while it is in the file.
func TestUntil(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	o := f.owner
	f.write("users:\n  - {name: alice@OWNER, clusterRoles: [view]}\n  - {name: bob@OWNER, clusterRoles: [view]}\n")
	f.must(0, "apply", "--yes")
	alice, bob := f.userKubeconfig("alice@"+o), f.userKubeconfig("bob@"+o)
	end := time.Now().UTC().Add(15 * time.Second).Truncate(time.Second)
	ending := fmt.Sprintf("users:\n  - {name: alice@OWNER, until: %[1]s, clusterRoles: [view]}\n  - {name: bob@OWNER, clusterRoles: [{name: view, until: %[1]s}]}\n", end.Format(time.RFC3339))
	f.write(ending)
	if p := f.plan(); !p.note("until-soon", "alice@"+o) || !p.note("until-soon", "bob@"+o) {
		t.Errorf("plan does not say that ends are coming: %v", p.Notes)
	}
	f.must(0, "apply", "--yes")
	f.allowed(alice, "get", "pods", "-A")
	eventually(t, 30*time.Second, "the end", func() bool { return time.Now().After(end) })
	f.must(0, "apply", "--yes", "--drift", "--max-removals=0")
	f.forbidden(alice, "get", "pods", "-A")
	f.forbidden(bob, "get", "pods", "-A")
	if state, _ := f.record("alice@" + o); state != "removed" || f.kv("users/alice@"+o) != nil || f.kv("users/bob@"+o) == nil {
		t.Errorf("alice's record: %s", state)
	}
	f.write("users:\n  - {name: alice@OWNER, clusterRoles: [view]}\n  - {name: bob@OWNER, clusterRoles: [view]}\n")
	f.must(0, "apply", "--yes")
	f.allowed(f.userKubeconfig("alice@"+o), "get", "pods", "-A")
	f.allowed(bob, "get", "pods", "-A")
}

// TestRename: the new name has all that the old one had, which is then forbidden everything.
func TestRename(t *testing.T) {
	t.Parallel()
	f := settled(t)
	o := f.owner
	alice := f.userKubeconfig("alice@" + o)
	f.write(strings.Replace(team, "{name: alice@OWNER,", "{name: alicia@OWNER, previously: [alice@OWNER],", 1))
	f.must(0, "apply", "--yes", "--max-removals=0")
	f.forbidden(alice, "get", "pods", "-n", "staging-"+o)
	f.allowed(f.userKubeconfig("alicia@"+o), "create", "configmap", "x", "-n", "staging-"+o)
	if state, _ := f.record("alice@" + o); state != "removed" || f.kv("users/alice@"+o) != nil {
		t.Errorf("the old name's record: %s", state)
	}
	if p := f.plan(); p.Changes {
		t.Errorf("left: %q", p.steps())
	}
	f.write(team)
	f.must(0, "apply", "--yes")
	f.forbidden(alice, "get", "pods", "-n", "staging-"+o)
	again := f.userKubeconfig("alice@" + o)
	f.allowed(again, "create", "configmap", "y", "-n", "staging-"+o)
	if who, err := f.tryKubectl(again, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"); err != nil || who != "alice@"+o+"#2" {
		t.Errorf("whoami: %q, %v", who, err)
	}
	if state, _ := f.record("alicia@" + o); state != "removed" {
		t.Errorf("the new name's record: %s", state)
	}
}

// TestGuardsOnServers: what guards refuse is written nowhere, and --hold does the rest.
func TestGuardsOnServers(t *testing.T) {
	t.Parallel()
	f := settled(t)
	o := f.owner
	bob, carol := f.userKubeconfig("bob@"+o), f.userKubeconfig("carol@"+o)
	f.write("groups: [{name: devs-OWNER, clusterRoles: [view], namespaces: {staging-OWNER: [edit]}}]\nusers:\n  - {name: alice@OWNER, groups: [devs-OWNER]}\n  - {name: dan@OWNER, groups: [devs-OWNER]}\n")
	kube, vault := f.size(shared.KubeAuditLog), f.size(shared.VaultAuditLog)
	for want, args := range map[string][]string{
		"would remove 2 of 3 users, more than 25% (--max-removals)":   nil,
		"a protected user (--protect)":                                {"--max-removals=2", "--protect=bob@" + o},
		"--drift corrects drift only":                                 {"--max-removals=2", "--drift"},
		"check that Vault, mount and prefix are right (--new-ledger)": {"--vault-prefix=elsewhere"},
	} {
		if r := f.must(3, append([]string{"apply", "--yes"}, args...)...); !strings.Contains(r.stderr, want) {
			t.Errorf("%q is not in: %s", want, r.stderr)
		}
	}
	f.noWrites(kube, vault)
	if r := f.must(1, "apply", "--yes", "--hold", "--max-removals=2", "--protect=bob@"+o); !strings.Contains(r.stdout, "remove bob@"+o+": held") {
		t.Error(r.stdout)
	}
	f.allowed(bob, "get", "pods", "-A")
	f.forbidden(carol, "get", "secrets", "-n", "payments-"+o)
	f.allowed(f.userKubeconfig("dan@"+o), "get", "pods", "-A")
	r := f.must(0, "apply", "--yes", "--policy=upsert-only")
	if !strings.Contains(r.stdout, "0 steps done, 3 held by the policy.") || !strings.Contains(r.stderr, "[3/3]") {
		t.Errorf("%s%s", r.stdout, r.stderr)
	}
	f.allowed(bob, "get", "pods", "-A")
	f.must(0, "apply", "--yes", "--max-removals=1")
	f.forbidden(bob, "get", "pods", "-A")

	// A Vault that was restored from a backup: its state is older than what the Lease says.
	old := f.kv("state")
	f.must(0, "plan")
	f.write("users: [{name: alice@OWNER}, {name: dan@OWNER}]")
	f.must(0, "apply", "--yes", "--max-removals=100%")
	f.vaultWrite("data/certsync/OWNER/state", map[string]any{"data": old})
	if r := f.must(3, "apply", "--yes"); !strings.Contains(r.stderr, "(--accept-rollback)") {
		t.Error(r.stderr)
	}
	f.must(0, "apply", "--yes", "--accept-rollback")
	f.must(0, "apply", "--yes")
}

// TestAdopt: what stands in a user's place in Vault and is not certsync's is taken over, one by one.
func TestAdopt(t *testing.T) {
	t.Parallel()
	f := settled(t)
	o := f.owner
	f.vaultWrite("data/certsync/OWNER/users/bob@OWNER", map[string]any{"data": map[string]any{"kubeconfig": "mine"}})
	if r := f.must(1, "apply", "--yes"); !strings.Contains(r.stdout, "--adopt users/bob@"+o) {
		t.Error(r.stdout)
	}
	if r := f.must(80, "apply", "--yes", "--adopt=ClusterRoleBinding/"+f.view()); !strings.Contains(r.stderr, "expected users/NAME") {
		t.Error(r.stderr)
	}
	f.must(0, "apply", "--yes", "--adopt=users/bob@"+o)
	if p := f.plan(); p.Changes {
		t.Errorf("left: %q", p.steps())
	}
	f.allowed(f.userKubeconfig("bob@"+o), "get", "pods", "-A")
	meta, err := f.vault.KVv2("secret").GetMetadata(t.Context(), "certsync/"+o+"/users/bob@"+o)
	if err != nil || meta.CurrentVersion != 3 || !meta.Versions["1"].Destroyed || !meta.Versions["2"].Destroyed {
		t.Errorf("metadata %+v, %v", meta, err)
	}
	if r := f.must(80, "apply", "--yes", "--adopt=users/bobby@"+o); !strings.Contains(r.stderr, "this name is neither in the inventory") {
		t.Error(r.stderr)
	}
}

// TestCAIssuer: with the CA's key certsync signs itself, on a cluster without a signer; all else is the same.
func TestCAIssuer(t *testing.T) {
	t.Parallel()
	servers := shared
	f := newFixture(t, servers)
	o := f.owner
	f.write("cluster: CLUSTER\nusers: [{name: alice@OWNER, clusterRoles: [view]}]")
	cert, key := filepath.Join(servers.Dir, "pki", "cluster-ca.crt"), filepath.Join(f.dir, "ca.key")
	copyFile(t, filepath.Join(servers.Dir, "pki", "cluster-ca.key"), key)
	t.Cleanup(func() { _ = os.Remove(key) })
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{"apply", "--yes", "--issuer=ca", "--ca-cert=" + cert, "--ca-key=" + key}
	if r := f.must(1, args...); !strings.Contains(r.stderr, "chmod 600") {
		t.Error(r.stderr)
	}
	if err := os.Chmod(key, 0o600); err != nil {
		t.Fatal(err)
	}
	before := f.size(servers.KubeAuditLog)
	if bad := notWell(f.preflight(0, append([]string{"--issue"}, args[2:]...)...)); !slices.Equal(bad, []string{onLoopback}) {
		t.Errorf("preflight: %q", bad)
	}
	f.must(0, args...)
	for _, r := range f.kubeRequests(before) {
		if strings.Contains(r.RequestURI, "certificatesigningrequests") && r.Verb != "list" {
			t.Errorf("sent %s %s", r.Verb, r.RequestURI)
		}
	}
	f.allowed(f.userKubeconfig("alice@"+o), "get", "pods", "-A")
	// The next issuer finds nothing to do.
	if p := f.plan(); p.Changes {
		t.Errorf("left: %q", p.steps())
	}
	if got := f.statuses("alice@" + o); !slices.Equal(got, []string{"current"}) {
		t.Errorf("certificates %q", got)
	}
	foreign := filepath.Join(servers.Dir, "pki", "foreign-ca")
	f.write("users: [{name: alice@OWNER, clusterRoles: [view]}, {name: bob@OWNER}]")
	args = []string{"--issuer=ca", "--ca-cert=" + foreign + ".crt", "--ca-key=" + foreign + ".key"}
	if c := f.preflight(1, append([]string{"--issue"}, args...)...)["signer"]; !strings.Contains(c.Detail, "does not trust the new certificate") {
		t.Errorf("preflight: %+v", c)
	}
	r := f.must(1, append([]string{"apply", "--yes"}, args...)...)
	if !strings.Contains(r.stdout, "does not trust the new certificate") || f.kv("users/bob@"+o) != nil {
		t.Errorf("a CA that the API server does not trust: %s", r.stdout)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestStatusAndExport: status says how people stand on the real servers, and the export of what stands there is an
// inventory that certsync reads.
func TestStatusAndExport(t *testing.T) {
	t.Parallel()
	f := settled(t)
	o := f.owner
	for _, want := range []string{"Users of " + o + ": 3 active", "alice@" + o, "carol@" + o} {
		if r := f.must(0, "status"); !strings.Contains(r.stdout, want) {
			t.Errorf("%q is not in: %s", want, r.stdout)
		}
	}
	if r := f.must(0, "status", "--user=carol@"+o); !strings.Contains(r.stdout, `bound, ClusterRole "admin" in namespace "payments-`+o+`", own`) {
		t.Error(r.stdout)
	}
	found := f.must(0, "export", "--owner=found").stdout
	if err := os.WriteFile(filepath.Join(f.dir, "found.yaml"), []byte(found), 0o600); err != nil {
		t.Fatal(err)
	}
	f.must(0, "validate", "-f", "found.yaml")
	for _, want := range []string{"name: devs-" + o, "name: carol@" + o, "payments-" + o + ": [admin]"} {
		if !strings.Contains(found, want) {
			t.Errorf("%q is not in: %s", want, found)
		}
	}
}
