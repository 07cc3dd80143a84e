package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestExampleRights: apply needs no more than the examples say, for users who come, change and leave. plan needs no more than they
// say for plan.
func TestExampleRights(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	f.namespace("staging")
	f.namespace("payments")
	admin := f.kubeconfig
	f.exampleRights("apply")
	f.write(team)
	f.must(0, "apply", "--yes")
	f.write(strings.NewReplacer("name: alice@OWNER", "name: dan@OWNER", "[admin]", "[edit]", "bob@OWNER, groups: [devs-OWNER]", "bob@OWNER").Replace(team))
	f.must(0, "apply", "--yes")
	f.kubeconfig, f.env = admin, nil
	f.exampleRights("plan")
	if p := f.plan(); p.Changes || !p.note("live-certificate", "alice@"+f.owner) {
		t.Errorf("plan: %q %v", p.steps(), p.Notes)
	}
}

// example reads a file of the examples, for the fixture's owner.
func (f *fixture) example(path string) string {
	f.Helper()
	text, err := os.ReadFile(filepath.Join("..", "examples", path))
	if err != nil {
		f.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "prod-eu", f.owner)
}

// exampleRights has an administrator give the rights of the examples for a command, and no others, to an identity that certsync
// then runs as.
func (f *fixture) exampleRights(command string) {
	f.Helper()
	f.apply(strings.ReplaceAll(f.example("in-cluster/rights-"+command+".yaml"), "name: certsync-"+command, "name: certsync-"+command+"-"+f.owner))
	user := command + "-" + f.owner
	f.kubectl("create", "clusterrolebinding", user, "--clusterrole=certsync-"+user, "--user="+user)
	f.kubectl("create", "rolebinding", user, "-n", "kube-system", "--role=certsync-"+user, "--user="+user)
	path, err := f.servers.UserKubeconfig(user, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.kubeconfig = path
	f.env = append(f.env, "VAULT_TOKEN="+f.token(f.example("vault/"+command+".hcl")))
}

// TestUserpassTakesNoAt: examples/vault says that userpass has no user with such a name.
func TestUserpassTakesNoAt(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	users := "auth/" + f.enableAuth("userpass") + "/users/"
	body := map[string]any{"password": "correct-horse"}
	f.vaultPut(users+"alice.smith", body)
	if _, err := f.vault.Logical().WriteWithContext(t.Context(), users+"alice@example.com", body); err == nil {
		t.Error("userpass took alice@example.com")
	}
}
