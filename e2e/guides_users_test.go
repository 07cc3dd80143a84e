package e2e

import (
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/certsync/certsync/inventory/userkey"
)

// newcomer is a user on a machine of their own, who got access by the inventory in users, and may read paths in Vault.
func newcomer(f *fixture, users string, paths ...string) *userMachine {
	f.Helper()
	f.writeNamed(users)
	f.must(0, "apply", "--yes")
	policy := ""
	for _, user := range paths {
		policy += `path "secret/data/certsync/OWNER/users/` + user + `" { capabilities = ["read"] }` + "\n"
	}
	p := f.person("VAULT_TOKEN="+f.token(policy), "CERTSYNC_OWNER=")
	return p
}

// TestUsersGuide: a user fetches a kubeconfig, merges it, merges a second account and merges again, as the guide says.
func TestUsersGuide(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	alice, admin := "alice@"+f.owner, "alice-admin@"+f.owner
	p := newcomer(f, "users: [{name: alice@OWNER, clusterRoles: [view]}, {name: alice-admin@OWNER}]", alice, admin)
	g := f.guide("users/README.md", "").on(p)
	g.shows("Username", alice)
	g.next(0)
	if text := f.text(filepath.Join(p.home, "kubeconfig")); !strings.Contains(text, "client-key-data") {
		t.Error("certsync kubeconfig printed no key")
	}
	g.shows("Username", alice)
	g.shows("Username", admin)
	merged := f.text(filepath.Join(p.home, ".kube", "config"))
	// Nobody has given alice access to a second cluster. TestFleet has several.
	one := g.exports
	if r := g.next(1); !strings.Contains(r.stderr, `owner "dev-eu"`) || !strings.Contains(r.stdout, "is up to date") {
		t.Errorf("%s%s", r.stdout, r.stderr)
	}
	g.exports = one
	g.shows(strconv.Itoa(time.Now().UTC().Add(7 * 24 * time.Hour).Year())) // until when the certificate lives
	if f.text(filepath.Join(p.home, ".kube", "config")) != merged {
		t.Error("merging again changed the file")
	}
}

// TestPluginGuide: the same with kubectl's exec plugin, which is on kubectl's allowlist.
func TestPluginGuide(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	alice := "alice@" + f.owner
	p := newcomer(f, "users: [{name: alice@OWNER, clusterRoles: [view]}]", alice)
	_, kuberc, found := strings.Cut(f.text("../examples/users/plugin.md"), "```yaml\napiVersion: kubectl.")
	kuberc, _, _ = strings.Cut(kuberc, "```")
	if !found {
		t.Fatal("the guide shows no kuberc")
	}
	p.file(".kube/kuberc", "apiVersion: kubectl."+kuberc)
	g := f.guide("users/plugin.md", "").on(p)
	g.shows("Username", alice)
	config := filepath.Join(p.home, ".kube", "config")
	if text := f.text(config); strings.Contains(text, "client-key-data") || !strings.Contains(text, "VAULT_ADDR") || strings.Contains(text, "VAULT_TOKEN") {
		t.Error("the entry holds a key or a token, or not the address of Vault")
	}
	g.next(0)
	if !strings.Contains(f.text(config), "command: /usr/local/bin/certsync\n") {
		t.Error("the entry does not have the path of --exec-command")
	}
	g.next(0)
	g.next(0)
}

// TestOwnKeyGuide: the same with a key that the user makes. The reviewer sees the user's fingerprint.
func TestOwnKeyGuide(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	alice := "alice@" + f.owner
	const entry = "groups: [{name: developers, clusterRoles: [view]}]\nusers: [{name: alice@OWNER, groups: [developers]"
	p := newcomer(f, entry+"}]", alice)
	g := f.guide("users/own-key.md", "").on(p)
	command := strings.Replace(userkey.RequestCommand(alice, []string{"developers"}, "alice.csr"), "KEY", "alice.key", 1)
	if !strings.Contains(g.commands[0], command) {
		t.Errorf("the guide does not say %s", command)
	}
	g.next(0)
	g.next(0)
	copyFile(t, filepath.Join(p.home, "alice.csr"), filepath.Join(f.dir, "alice.csr"))
	f.writeNamed(entry + ", request: alice.csr}]")
	fingerprint := regexp.MustCompile(`^[0-9a-f]{64}`).FindString(g.next(0).stdout)
	if r := f.must(0, "plan"); fingerprint == "" || !strings.Contains(r.stdout, fingerprint) {
		t.Errorf("%q is not in: %s", fingerprint, r.stdout)
	}
	f.must(0, "apply", "--yes")
	g.shows("Username", alice)
	g.shows("Username", alice)

	// After a revocation, the request is for the old name.
	own := filepath.Join(p.home, "alice.kubeconfig")
	f.allowed(own, "get", "pods", "--all-namespaces")
	if r := f.must(1, "apply", "--yes", "--revoke="+alice); !strings.Contains(r.stderr, userkey.RequestCommand(alice+"#2", []string{"developers"}, "FILE")) {
		t.Errorf("the report does not say how to make the next request: %s", r.stderr)
	}
	f.forbidden(own, "get", "pods", "--all-namespaces")
}
