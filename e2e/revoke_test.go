package e2e

import (
	"strings"
	"testing"
	"time"
)

// TestRevokeOnServers: a stolen certificate gets nothing any more that certsync gave, reads and writes, and its user goes on with
// a new one. No later run undoes it.
func TestRevokeOnServers(t *testing.T) {
	t.Parallel()
	f := settled(t)
	o := f.owner
	stolen, bob := f.userKubeconfig("alice@"+o), f.userKubeconfig("bob@"+o)
	who := func(kubeconfig, want string) {
		t.Helper()
		if got, err := f.tryKubectl(kubeconfig, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"); err != nil || got != want {
			t.Errorf("whoami: %q, %v; want %q", got, err, want)
		}
	}
	stillNothing := func(kubeconfig string) {
		t.Helper()
		f.forbidden(kubeconfig, "get", "pods", "--all-namespaces")
		f.forbidden(kubeconfig, "create", "configmap", "z", "-n", "staging-"+o)
	}
	f.must(0, "apply", "--yes", "--revoke", "alice@"+o)
	stillNothing(stolen)
	second := f.userKubeconfig("alice@" + o)
	who(second, "alice@"+o+"#2")
	f.allowed(second, "get", "pods", "--all-namespaces")
	f.allowed(second, "create", "configmap", "x", "-n", "staging-"+o)
	f.allowed(bob, "get", "pods", "--all-namespaces")
	f.must(0, "plan", "--detailed-exitcode")
	f.must(0, "apply", "--yes", "--drift")
	if r := f.must(0, "status", "--user", "alice@"+o); !strings.Contains(r.stdout, "Kubernetes name alice@"+o+"#2") || !strings.Contains(r.stdout, "certificate revoked") {
		t.Error(r.stdout)
	}

	f.write(strings.Replace(team, "{name: alice@OWNER,", "{name: alice@OWNER, revokedBefore: "+time.Now().UTC().Format(time.RFC3339)+",", 1))
	if r := f.must(2, "plan", "--detailed-exitcode"); !strings.Contains(strings.Join(strings.Fields(r.stdout), " "), "as alice@"+o+"#3 in Kubernetes") {
		t.Error(r.stdout)
	}
	f.must(0, "apply", "--yes")
	stillNothing(stolen)
	stillNothing(second)
	third := f.userKubeconfig("alice@" + o)
	who(third, "alice@"+o+"#3")
	f.allowed(third, "create", "configmap", "y", "-n", "staging-"+o)
	f.must(0, "plan", "--detailed-exitcode")
	if r := f.must(80, "apply", "--yes", "--revoke", "allice@"+o); !strings.Contains(r.stderr, "--revoke") {
		t.Error(r.stderr)
	}
}
