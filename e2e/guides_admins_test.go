package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/certsync/certsync/e2e/harness"
	"github.com/certsync/certsync/inventory"
)

// handMade is a kubeconfig with a certificate that certsync did not make.
func (f *fixture) handMade(user string, groups ...string) string {
	f.Helper()
	path, err := f.servers.UserKubeconfig(user, groups)
	if err != nil {
		f.Fatal(err)
	}
	return path
}

// TestMigrationGuide: users with hand-made certificates get certsync's, are never without access, and lose the old way at the end.
func TestMigrationGuide(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	alice, bob := "alice@"+f.owner, "bob@"+f.owner
	f.kubectl("create", "namespace", "shop")
	f.kubectl("create", "clusterrolebinding", "alice-view", "--clusterrole=view", "--user="+alice)
	f.kubectl("create", "rolebinding", "developers-edit", "-n", "shop", "--clusterrole=edit", "--group=developers")
	oldAlice, oldBob := f.handMade(alice), f.handMade(bob, "developers")
	pods, edits := []string{"get", "pods", "--all-namespaces"}, []string{"create", "configmap", "x", "-n", "shop", "--dry-run=server"}
	f.allowed(oldAlice, pods...)
	f.allowed(oldBob, edits...)
	g := f.guide("migration/README.md", "")

	g.next(0)
	found := f.text(filepath.Join(f.dir, "exported.yaml"))
	for _, want := range []string{"owner: " + f.owner + "\n", "- name: " + alice + "\n", "- name: developers\n"} {
		if !strings.Contains(found, want) {
			t.Errorf("%q is not in: %s", want, found)
		}
	}
	f.writeNamed(guideInventory(f))
	r := g.next(0)
	for _, want := range []string{"access-left-behind", "existing-access", "alice-view", "developers-edit", alice + "#2"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("%q is not in: %s", want, r.stdout)
		}
	}
	g.next(0)
	newAlice, newBob := f.userKubeconfig(alice), f.userKubeconfig(bob)
	for _, kubeconfig := range []string{oldAlice, newAlice} {
		f.allowed(kubeconfig, pods...)
	}
	for _, kubeconfig := range []string{oldBob, newAlice, newBob} {
		f.allowed(kubeconfig, edits...)
	}
	f.forbidden(oldAlice, edits...) // which certsync gives to the new name alone
	_, plan, planned := strings.Cut(g.next(0).stdout, "Plan for ")
	if !planned || strings.Contains(plan, "alice-view") || strings.Contains(plan, "developers-edit") {
		t.Errorf("plan says %s", plan)
	}
	f.forbidden(oldAlice, pods...)
	f.forbidden(oldBob, edits...)
	f.allowed(newAlice, pods...)
	f.allowed(newBob, edits...)
}

// guideInventory is the corrected inventory of the guide, from its groups on.
func guideInventory(f *fixture) string {
	f.Helper()
	_, text, _ := strings.Cut(f.text("../examples/migration/README.md"), "```yaml\n")
	text, _, found := strings.Cut(text, "```\n")
	if _, err := inventory.Parse("users.yaml", []byte(text), nil); err != nil {
		f.Error(err)
	}
	_, text, groups := strings.Cut(text, "groups:\n")
	if !found || !groups {
		f.Fatal("the guide shows no inventory")
	}
	return strings.ReplaceAll("groups:\n"+text, "example.com", f.owner)
}

// job are the texts of the guides that stand for this owner's job.
func (f *fixture) job() []string {
	return []string{
		"certsync manifests", "certsync manifests --namespace=access-" + f.owner + " --vault-auth-mount=kubernetes-" + f.owner,
		"-n certsync ", "-n access-" + f.owner + " ", "auth/kubernetes/", "auth/kubernetes-" + f.owner + "/",
	}
}

// TestUpgradeGuide: a state of version 1 becomes one of version 2, and nothing else changes. Then all is taken out again.
func TestUpgradeGuide(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	f.namespace("staging")
	f.namespace("payments")
	f.writeNamed(team)
	f.must(0, "apply", "--yes")
	o := f.owner
	f.enableAuth("kubernetes")
	copyFile(t, f.servers.VaultCACert, filepath.Join(f.dir, "vault-ca.crt"))
	state := f.kv("state")
	for _, field := range []string{"endpoint", "grants", "names", "runs", "epochs"} {
		delete(state, field)
	}
	state["formatVersion"] = "1"
	f.vaultWrite("data/certsync/OWNER/state", map[string]any{"data": state})
	alice := f.userKubeconfig("alice@" + o)
	if p := f.plan(); len(p.Steps) > 0 {
		t.Errorf("an upgrade takes %q", p.steps())
	}

	g := f.guide("upgrading/README.md", "Upgrade certsync", f.job()...)
	g.shows("state-upgraded")
	g.next(0)
	if r := g.next(0); strings.Contains(r.stdout, "issue") || f.kv("state")["formatVersion"] != "2" {
		t.Errorf("the state is of version %v: %s", f.kv("state")["formatVersion"], r.stdout)
	}
	f.allowed(alice, "get", "pods", "--all-namespaces")

	g = f.guide("upgrading/README.md", "Take certsync out", f.job()...)
	g.next(0)
	f.must(3, "apply", "--yes", "-f", f.emptied())
	g.shows("remove")
	f.forbidden(alice, "get", "pods", "--all-namespaces")
	if r := g.next(0); strings.Contains(r.stdout, "certsync:"+o) || strings.Count(r.stdout, "left") < 3 {
		t.Error(r.stdout)
	}
	for _, user := range []string{"alice@", "bob@", "carol@"} {
		if f.kv("users/"+user+o) != nil {
			t.Errorf("the credential of %s is left", user)
		}
	}
	g.next(0)
	if out := f.kubectl("get", "leases,cronjobs,clusterroles,clusterrolebindings,roles,rolebindings,validatingadmissionpolicies", "--all-namespaces",
		"-l", "app.kubernetes.io/instance="+o, "-o", "name"); out != "" {
		t.Errorf("left: %s", out)
	}
	g.next(0)
	policies, err := f.vault.Sys().ListPolicies()
	check(t, err)
	for _, policy := range policies {
		if policy == "certsync-"+o || policy == "certsync-"+o+"-plan" {
			t.Errorf("policy %s is left", policy)
		}
	}
	g.next(0)
	if left, err := f.vault.Logical().List("secret/metadata/certsync/" + o); err != nil || left != nil {
		t.Errorf("left in Vault: %v, %v", left, err)
	}
}

// emptied takes all users out of the inventory, and returns its name.
func (f *fixture) emptied() string {
	f.Helper()
	f.writeNamed("users: []\n")
	return "users.yaml"
}

// TestMoveGuide: an owner moves to another folder in Vault, and then to another cluster.
func TestMoveGuide(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	const users = "users: [{name: alice@OWNER, clusterRoles: [view]}]"
	alice, pods := "alice@"+f.owner, []string{"get", "pods", "--all-namespaces"}
	f.writeNamed(users)
	f.must(0, "apply", "--yes")
	first := f.userKubeconfig(alice)

	deployment := f.deploy()
	suspended := func(want string) {
		t.Helper()
		if is := f.kubectl("get", "cronjob", "certsync-"+f.owner, "-n", deployment, "-o", "jsonpath={.spec.suspend}"); is != want {
			t.Errorf("suspend: %q, want %q", is, want)
		}
	}
	folder := f.guide("upgrading/README.md", "Move to another folder in Vault", f.job()...)
	f.must(3, "apply", "--yes", "--vault-prefix=access")
	ended := f.running()
	folder.next(0)
	ended()
	f.deployKubernetes(deployment, "--vault-prefix=access")
	suspended("true") // also after the manifests were applied again
	folder.next(0)
	f.must(0, "plan", "--detailed-exitcode", "--vault-prefix=access")
	secret, err := f.vault.KVv2("secret").Get(t.Context(), "access/"+f.owner+"/users/"+alice)
	check(t, err)
	path := filepath.Join(t.TempDir(), "kubeconfig")
	check(t, os.WriteFile(path, []byte(secret.Data["kubeconfig"].(string)), 0o600))
	f.allowed(path, pods...)
	f.allowed(first, pods...)
	folder.next(0)
	suspended("false")
	folder.next(0)
	if f.kv("users/"+alice) != nil {
		t.Error("the old credential is left")
	}

	// From the old folder, where the state and the ledger still are, the owner moves to another cluster.
	f.deployKubernetes(deployment)
	g := f.guide("upgrading/README.md", "Move an owner to another cluster", f.job()...)
	ended = f.running()
	g.next(0)
	ended()
	suspended("true")
	old, oldKubeconfig := f.servers, f.kubeconfig
	other := ownServers(t, harness.Options{})
	if f.kubeconfig, err = other.UserKubeconfig("certsync-"+f.owner, []string{"system:masters"}); err != nil {
		t.Fatal(err)
	}
	f.servers = other
	f.env = append(f.env, "VAULT_ADDR="+old.VaultAddr, "VAULT_CACERT="+old.VaultCACert, "VAULT_TOKEN="+old.VaultToken)
	f.writeNamed(users)
	f.must(3, "apply", "--yes")
	g.shows("reissue")
	g.next(0)
	f.allowed(f.userKubeconfig(alice), pods...)
	f.servers, f.kubeconfig = old, oldKubeconfig
	f.allowed(first, pods...)
	g.next(0)
	f.forbidden(first, pods...)
}
