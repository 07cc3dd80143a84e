package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
	"github.com/certsync/certsync/e2e/fake"
)

// vaultsThatAreDown are addresses at which no Vault can be used. Each connection to one that listens fails the test.
func vaultsThatAreDown(t *testing.T) map[string]string {
	t.Helper()
	sealed := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("Vault was asked: %s", r.URL)
		answer(w, http.StatusServiceUnavailable, `{"errors":["Vault is sealed"]}`)
	}))
	sealed.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			t.Error("somebody has connected to Vault")
		}
	}
	sealed.Start()
	t.Cleanup(sealed.Close)
	return map[string]string{"stopped": fixture.ClosedAddress(t), "sealed, or answering nonsense": sealed.URL, "nowhere": "", "no address": "\x01nonsense"}
}

// secretsOf is all that stands in a world's Vault.
func secretsOf(w *fake.World) map[string]string {
	all := w.Dump()
	maps.DeleteFunc(all, func(name, _ string) bool { return !strings.HasPrefix(name, "secret/") })
	return all
}

// served are the bindings of ours that name a user in any epoch.
func served(w *fake.World, user string) []string {
	var all []string
	for g := range grants(w) {
		if strings.HasPrefix(g, user+": ClusterRole") || strings.HasPrefix(g, user+"#") && strings.Contains(g, ": ClusterRole") {
			all = append(all, g)
		}
	}
	slices.Sort(all)
	return all
}

// TestNightWithoutVault: apply --removals-only needs no Vault, and connects to none. It takes everything from who has left and who
// is revoked, and leaves everybody else and all of Vault as it was. With Vault back, the next run writes the ledger and goes on.
func TestNightWithoutVault(t *testing.T) {
	l := newLab(t, 1)
	at := l.servers.VaultAddress()
	start := newFaultWorld(l.signer)
	if r := l.apply(start, command{file: l.inventory(t, company), workers: 8}); r.exit != exitOK {
		t.Fatalf("exit %d: %s", r.exit, r.output)
	}
	gone := l.inventory(t, withoutAlice)
	for sentence, address := range vaultsThatAreDown(t) {
		t.Run(sentence, func(t *testing.T) {
			w := start.Clone()
			carol, secrets, others := served(w, "carol"), secretsOf(w), foreign(w, nil)
			t.Setenv("VAULT_ADDR", address)
			r := l.apply(w, command{file: gone, args: night, workers: 8})
			if r.exit != exitOK || served(w, "alice") != nil || served(w, "bob") != nil || !slices.Equal(served(w, "carol"), carol) {
				t.Errorf("exit %d: alice has %q, bob %q, carol %q\n%s", r.exit, served(w, "alice"), served(w, "bob"), served(w, "carol"), r.output)
			}
			if diff := cmp.Diff(secrets, secretsOf(w)) + cmp.Diff(others, foreign(w, nil)); diff != "" {
				t.Error(diff)
			}
			for _, want := range []string{"Plan for prod-eu, removals only: ", "vault-not-read: ", "revoked-at-lock: bob: "} {
				if !strings.Contains(r.output, want) {
					t.Errorf("%q is not in %s", want, r.output)
				}
			}
			if lines := regexp.MustCompile(`(?m)^ +revokedBefore: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`).FindAllString(r.output, -1); len(lines) != 2 { // plan and result
				t.Errorf("%d lines for the inventory in %s", len(lines), r.output)
			}
			t.Setenv("VAULT_ADDR", at)
			writes := 0
			for _, args := range [][]string{nil, {"--drift"}} {
				if r := l.apply(w, command{file: gone, args: args, workers: 8}); r.exit != exitOK || len(served(w, "bob")) != 3 || !strings.HasPrefix(served(w, "bob")[0], "bob#2: ") {
					t.Errorf("with Vault back: exit %d: bob has %q\n%s", r.exit, served(w, "bob"), r.output)
				}
				if writes > 0 && w.Writes() != writes {
					t.Errorf("the run after that wrote %d times", w.Writes()-writes)
				}
				writes = w.Writes()
			}
			if s := standingOf(w); s.Users["alice"].State != "removed" || s.Users["alice"].Credential != "none" || s.Users["bob"].Revoked != 1 {
				t.Errorf("%+v", s.Users)
			}
		})
	}
}

// TestNightNeedsConsent: --expect takes the plan with that digest, and no other. apply shows the plan that it refuses, and writes nothing.
func TestNightNeedsConsent(t *testing.T) {
	l := newLab(t, 1)
	w := newFaultWorld(l.signer)
	if r := l.apply(w, command{file: l.inventory(t, company), workers: 8}); r.exit != exitOK {
		t.Fatalf("exit %d: %s", r.exit, r.output)
	}
	t.Setenv("VAULT_ADDR", vaultsThatAreDown(t)["sealed, or answering nonsense"])
	gone, writes := l.inventory(t, withoutAlice), w.Writes()
	refused := func(want string, args ...string) ran {
		t.Helper()
		r := l.apply(w, command{file: gone, args: append(slices.Clone(night), args...), workers: 8})
		if r.exit != exitRefused || !strings.Contains(r.output, want) {
			t.Errorf("%q: exit %d: %s", args, r.exit, r.output)
		}
		return r
	}
	refused("would revoke the certificates of \"bob\", a protected user (--protect)", "--protect=bob")
	refused("would take everything cluster-wide from 1 of 1 users, more than 0 (--max-removals)", "--max-removals=0")
	r := refused("the plan's digest is sha256:", "--expect=sha256:"+strings.Repeat("0", 64))
	digest := regexp.MustCompile(`digest is (sha256:[0-9a-f]{64})`).FindStringSubmatch(r.output)
	if locked := w.Writes() - writes; locked > 0 {
		t.Fatalf("%d writes", locked)
	}
	if r := l.apply(w, command{file: gone, args: append(slices.Clone(night), "--expect="+digest[1]), workers: 8}); r.exit != exitOK || served(w, "bob") != nil {
		t.Errorf("exit %d: %s", r.exit, r.output)
	}
	if r := l.apply(w, command{file: gone, args: []string{"--removals-only", "--revoke=allice"}, workers: 8}); r.exit != exitUsage || !strings.Contains(r.output, `--revoke "allice": this name is neither in the inventory nor in the cluster`) {
		t.Errorf("exit %d: %s", r.exit, r.output)
	}
}

// TestNightUsage: flags that need Vault, or a run that gives something, do not go with --removals-only.
func TestNightUsage(t *testing.T) {
	for _, flag := range []string{"--drift", "--policy=upsert-only", "--policy=create-only", "--adopt=users/alice", "--retry=alice",
		"--move-to-this-cluster", "--new-ledger", "--accept-rollback", "--accept-shared-ca"} {
		r := within(t, t.Context(), "apply", "--removals-only", flag)
		if r.code != exitUsage || r.stdout != "" || !strings.HasPrefix(r.stderr, "certsync: "+strings.TrimSuffix(flag, "=users/alice")+" ") && !strings.HasPrefix(r.stderr, "certsync: --retry ") ||
			!strings.Contains(r.stderr, " cannot be used with --removals-only: ") {
			t.Errorf("%s: exit %d: %s%s", flag, r.code, r.stdout, r.stderr)
		}
	}
}

// TestEmergencyWithoutAnInventory: an inventory that cannot be read is an error, and not an empty script.
func TestEmergencyWithoutAnInventory(t *testing.T) {
	r := within(t, t.Context(), "status", "--emergency", "--user=alice", "-f", filepath.Join(t.TempDir(), "users.yaml"))
	if r.code != exitError || r.stdout != "" || !strings.Contains(r.stderr, "\nhint: ") {
		t.Errorf("exit %d, %q: %s", r.code, r.stdout, r.stderr)
	}
}

// TestEmergency: status --emergency needs the cluster alone. Its commands are for a shell or, with -o json, for a program.
func TestEmergency(t *testing.T) {
	l := newLab(t, 1)
	w := newFaultWorld(l.signer)
	if r := l.apply(w, command{file: l.inventory(t, company), workers: 8}); r.exit != exitOK {
		t.Fatalf("exit %d: %s", r.exit, r.output)
	}
	t.Setenv("VAULT_ADDR", vaultsThatAreDown(t)["sealed, or answering nonsense"])
	front := l.servers.Open(w)
	t.Cleanup(front.Close)
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(kubeconfig, front.Kubeconfig("certsync"), 0o600); err != nil {
		t.Fatal(err)
	}
	status := func(code int, args ...string) result {
		t.Helper()
		r := within(t, t.Context(), append([]string{"status", "--emergency", "-f", l.inventory(t, withoutAlice), "--kubeconfig", kubeconfig}, args...)...)
		if r.code != code {
			t.Fatalf("%q: exit %d: %s", args, r.code, r.stderr)
		}
		return r
	}
	want := []string{
		`kubectl patch clusterrolebinding certsync:prod-eu:group:developers:view --type=json -p '[{"op":"test","path":"/subjects/0/name","value":"alice"},{"op":"remove","path":"/subjects/0"}]'`,
		"kubectl delete clusterrolebinding certsync:prod-eu:user:alice:node-reader --timeout=30s",
		`kubectl patch rolebinding -n staging certsync:prod-eu:group:developers:edit --type=json -p '[{"op":"test","path":"/subjects/0/name","value":"alice"},{"op":"remove","path":"/subjects/0"}]'`,
	}
	text := status(exitOK, "--user", "alice").stdout
	commands := slices.DeleteFunc(strings.Split(strings.TrimSpace(text), "\n"), func(line string) bool { return strings.HasPrefix(line, "# ") })
	if diff := cmp.Diff(want, commands); diff != "" || strings.Contains(text, "revokedBefore") {
		t.Error(diff, text)
	}
	var asJSON struct {
		FormatVersion, Owner string
		Users                []struct {
			Name        string
			InInventory bool
			Commands    []string
		}
	}
	if err := json.Unmarshal([]byte(status(exitOK, "--user=bob", "--user=alice", "-o", "json").stdout), &asJSON); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(asJSON.FormatVersion, asJSON.Owner, asJSON.Users[0].Name, asJSON.Users[0].InInventory, asJSON.Users[1].Name, asJSON.Users[1].InInventory); got != "1prod-eualicefalsebobtrue" {
		t.Error(got)
	}
	if diff := cmp.Diff(want, asJSON.Users[0].Commands); diff != "" {
		t.Error(diff)
	}
	if r := status(exitUsage, "--user=mallory"); !strings.Contains(r.stderr, `--user "mallory": this name is neither in the inventory nor in the cluster`) {
		t.Error(r.stderr)
	}
}
