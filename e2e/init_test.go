package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestInitToKubectl: from certsync init to a user's kubectl, nobody edits the inventory.
func TestInitToKubectl(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	user := "alice@" + f.owner
	r := f.must(0, "init", "--owner", f.owner, "--user", user)
	for _, want := range []string{"Kubernetes v", "Vault has a KV version 2 secrets engine at secret/", "certsync preflight"} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("init does not say %q: %s", want, r.stderr)
		}
	}
	f.must(1, "init", "--owner", f.owner)
	f.must(0, "validate")
	f.must(0, "preflight", "--issue")
	f.must(0, "apply", "--yes")

	admin := f.env
	f.env = append(f.env, "VAULT_TOKEN="+f.token(`path "secret/data/certsync/OWNER/users/`+user+`" { capabilities = ["read"] }`))
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	text, err := f.command(t.Context(), "kubeconfig", "--owner", f.owner, "--user", user).Output() // with the key
	f.env = admin
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(kubeconfig, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.tryKubectl(kubeconfig, "get", "pods", "--all-namespaces"); err != nil {
		t.Error(err)
	}
	if _, err := f.tryKubectl(kubeconfig, "get", "secrets", "-n", "kube-system"); err == nil || !strings.Contains(err.Error(), "Forbidden") {
		t.Errorf("a viewer reads secrets: %v", err)
	}
	if p := f.plan(); p.Changes {
		t.Errorf("after apply: %q", p.steps())
	}
}
