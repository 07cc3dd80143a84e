package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/certsync/certsync/e2e/harness"
)

// TestNightWithoutVault: with Vault stopped, sealed or answering nonsense, who has left and whose key was stolen lose everything
// that certsync gave, by certsync or by hand. With Vault back, one apply does the rest.
func TestNightWithoutVault(t *testing.T) {
	t.Parallel()
	servers := ownServers(t, harness.Options{})
	nonsense := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "<html>Welcome to the coffee machine</html>")
	}))
	t.Cleanup(nonsense.Close)
	for _, tt := range []struct {
		name       string
		down, back func(f *fixture)
	}{
		{"stopped", func(f *fixture) { check(f, servers.StopProcess(harness.Vault)) }, func(f *fixture) { check(f, servers.StartProcess(f.Context(), harness.Vault)) }},
		{"sealed", func(f *fixture) { check(f, servers.SealVault(f.Context())) }, func(f *fixture) { check(f, servers.UnsealVault(f.Context())) }},
		{"answering nonsense", func(f *fixture) { f.env = []string{"VAULT_ADDR=" + nonsense.URL} }, func(f *fixture) { f.env = nil }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, servers)
			f.namespace("staging")
			f.namespace("payments")
			f.write(team)
			f.must(0, "apply", "--yes")
			o := f.owner
			stolen, bob, carol := f.userKubeconfig("alice@"+o), f.userKubeconfig("bob@"+o), f.userKubeconfig("carol@"+o)
			f.write(strings.Replace(team, "  - {name: carol@OWNER, namespaces: {payments-OWNER: [admin]}}\n", "", 1))

			tt.down(f)
			f.must(1, "apply", "--yes")
			f.allowed(carol, "get", "pods", "-n", "payments-"+o)
			r := f.must(0, "apply", "--removals-only", "--yes", "--revoke", "alice@"+o)
			if !strings.Contains(r.stdout, "revokedBefore: ") || !strings.Contains(r.stdout, "removals only") {
				t.Error(r.stdout)
			}
			f.forbidden(carol, "get", "pods", "-n", "payments-"+o)
			f.forbidden(stolen, "get", "pods", "--all-namespaces")
			f.forbidden(stolen, "create", "configmap", "x", "-n", "staging-"+o)
			f.allowed(bob, "get", "pods", "--all-namespaces")
			f.allowed(bob, "create", "configmap", "x", "-n", "staging-"+o)

			f.byHand("bob@" + o)
			f.forbidden(bob, "get", "pods", "--all-namespaces")
			f.forbidden(bob, "create", "configmap", "y", "-n", "staging-"+o)

			tt.back(f)
			f.must(0, "apply", "--yes")
			f.must(0, "plan", "--detailed-exitcode")
			f.forbidden(stolen, "get", "pods", "--all-namespaces")
			f.forbidden(carol, "get", "pods", "-n", "payments-"+o)
			f.allowed(bob, "get", "pods", "--all-namespaces")
			again := f.userKubeconfig("alice@" + o)
			f.allowed(again, "create", "configmap", "y", "-n", "staging-"+o)
			if got, err := f.tryKubectl(again, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"); err != nil || got != "alice@"+o+"#2" {
				t.Errorf("whoami: %q, %v", got, err)
			}
			if state := f.kv("ledger/carol@" + o)["state"]; state != "removed" || f.kv("users/carol@"+o) != nil {
				t.Errorf("carol is %v in the ledger", state)
			}
			f.accounted()
		})
	}
}

// byHand pastes what status --emergency prints for a user, twice. The second time nobody is there any more, and kubectl says so.
func (f *fixture) byHand(user string) {
	f.Helper()
	commands := "set -e\n" + f.must(0, "status", "--user", user, "--emergency").stdout
	if out, err := f.paste(f.kubeconfig, commands); err != nil {
		f.Fatalf("%s%s: %v", commands, out, err)
	}
	if out, err := f.paste(f.kubeconfig, commands); err == nil {
		f.Errorf("once more: %s%s", commands, out)
	}
}

// TestEmergencyByHand: the printed commands are bound to what was seen. If the subjects have changed when somebody pastes them, nobody
// else is taken out, and a user's own bindings go.
func TestEmergencyByHand(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	f.namespace("staging")
	f.namespace("payments")
	f.write(strings.Replace(team, "{name: bob@OWNER,", "{name: bob@OWNER, clusterRoles: [admin], namespaces: {payments-OWNER: [edit]},", 1))
	f.must(0, "apply", "--yes")
	o := f.owner
	alice, bob := f.userKubeconfig("alice@"+o), f.userKubeconfig("bob@"+o)
	stale := f.must(0, "status", "--user", "bob@"+o, "--emergency").stdout
	f.subjects(`[{"op":"remove","path":"/subjects/0"},{"op":"add","path":"/subjects/1","value":{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"alice@` + o + `"}}]`)
	if out, err := f.paste(f.kubeconfig, "set -e\n"+stale); err == nil {
		t.Errorf("%s%s", stale, out)
	}
	f.allowed(alice, "get", "pods", "--all-namespaces")
	f.byHand("bob@" + o)
	f.forbidden(bob, "get", "pods", "--all-namespaces")
	f.forbidden(bob, "get", "pods", "-n", "payments-"+o)
	f.forbidden(bob, "get", "pods", "-n", "staging-"+o)
	f.allowed(alice, "get", "pods", "--all-namespaces")
	if r := f.must(0, "status", "--user", "bob@"+o, "--emergency"); strings.Contains(r.stdout, "\nkubectl") || !strings.Contains(r.stdout, "no binding of certsync owner "+o+" includes bob@"+o) {
		t.Error(r.stdout)
	}
	f.must(80, "status", "--user", "mallory@"+o, "--emergency")
}
