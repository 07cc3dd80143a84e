package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/certsync/certsync/e2e/harness"
)

// newIncident is a fixture whose team has been applied, and the commands of a section of examples/incidents.
func newIncident(t *testing.T, servers *harness.Servers, section string) *guide {
	t.Helper()
	f := newFixture(t, servers)
	f.namespace("staging")
	f.namespace("payments")
	f.write("cluster: CLUSTER\n" + team)
	f.must(0, "apply", "--yes")
	return f.guide(incidentDocument(section), section, f.job()...)
}

// incidentDocument is the document of examples/incidents that has a section.
func incidentDocument(section string) string {
	if section == "The CA is rotated" {
		return "incidents/ca.md"
	}
	return "incidents/README.md"
}

// without takes a user out of the inventory.
func (g *guide) without(user string) {
	g.Helper()
	g.write("cluster: CLUSTER\n" + regexp.MustCompile(`(?m)^  - \{name: `+user+`@.*\n`).ReplaceAllString(team, ""))
}

func (g *guide) of(user string) string { return user + "@" + g.owner }

func TestIncidents(t *testing.T) {
	t.Parallel()
	t.Run("leaves", func(t *testing.T) {
		i := newIncident(t, shared, "Somebody leaves now")
		alice := i.userKubeconfig(i.of("alice"))
		i.without("alice")
		i.shows("remove")
		i.forbidden(alice, "get", "pods", "--all-namespaces")
		if i.kv("users/"+i.of("alice")) != nil {
			t.Error("the credential is left")
		}
		i.shows("left", i.of("alice"))
	})
	t.Run("stolen", func(t *testing.T) {
		i := newIncident(t, shared, "A laptop is stolen")
		stolen := i.userKubeconfig(i.of("alice"))
		i.next(0)
		i.forbidden(stolen, "get", "pods", "--all-namespaces")
		i.shows(i.of("alice") + "#2")
		fetched := filepath.Join(i.dir, "alice.kubeconfig")
		defer os.Remove(fetched) // the user's own file, in which noSecrets would find a key
		i.shows(i.of("alice") + "#2")
		i.allowed(fetched, "get", "pods", "--all-namespaces")
	})
	t.Run("refused", func(t *testing.T) {
		i := newIncident(t, shared, "Exit code 3 at night")
		i.without("carol")
		users := i.text(filepath.Join(i.dir, "users.yaml"))
		i.append(users, "teams: [{name: a, file: teams/a.yaml, groups: [devs-OWNER]}]\n")
		i.writeTeam("a", " [{name: gone@OWNER, groups: [devs-OWNER]}]")
		i.deploy()
		i.must(3, "apply", "--yes", "--drift", "--hold")
		i.shows("Refused", "--drift")
		// Since then, a team's file has another name, and one more team came.
		check(t, os.Rename(filepath.Join(i.dir, "teams", "a.yaml"), filepath.Join(i.dir, "a.yaml")))
		i.append(users, "teams: [{name: a, file: a.yaml, groups: [devs-OWNER]}, {name: b, file: teams/b.yaml, groups: [devs-OWNER]}]\n")
		i.writeTeam("b", " [{name: came@OWNER, groups: [devs-OWNER]}]")
		if r := i.next(0); !strings.Contains(r.stdout, "--drift") || !strings.Contains(r.stdout, i.of("gone")) || strings.Contains(r.stdout, i.of("came")) {
			t.Errorf("not the plan of the job's files: %s", r.stdout)
		}
		i.deployKubernetes("access-" + i.owner) // step 4
		i.next(0)
		i.must(0, "apply", "--yes", "--drift", "--hold")
		i.next(0)
		if args := i.jobArguments(); args != `["apply","--yes","--drift","--hold"]` {
			t.Error(args)
		}
	})
	t.Run("Vault", func(t *testing.T) {
		servers := ownServers(t, harness.Options{})
		t.Run("down", func(t *testing.T) { vaultIsDown(t, servers) })
		t.Run("restored", func(t *testing.T) { vaultIsRestored(t, servers) })
	})
	t.Run("CA", caIsRotated)
}

// append writes the inventory with more lines, in which OWNER stands for the owner.
func (g *guide) append(users, more string) {
	g.Helper()
	check(g, os.WriteFile(filepath.Join(g.dir, "users.yaml"), []byte(users+strings.ReplaceAll(more, "OWNER", g.owner)), 0o600))
}

// jobArguments are those of the job that a step has created.
func (g *guide) jobArguments() string {
	g.Helper()
	return g.kubectl("get", "job", "certsync-now", "-n", "access-"+g.owner, "-o", "jsonpath={.spec.template.spec.containers[0].args}")
}

func vaultIsDown(t *testing.T, servers *harness.Servers) {
	i := newIncident(t, servers, "Vault is down")
	i.deploy()
	alice, carol := i.userKubeconfig(i.of("alice")), i.userKubeconfig(i.of("carol"))
	check(t, servers.StopProcess(harness.Vault))
	i.without("carol")
	i.must(1, "apply", "--yes")
	ended := i.running()
	i.next(0)
	ended()
	i.allowed(carol, "get", "pods", "-n", "payments-"+i.owner)
	i.next(0)
	i.forbidden(carol, "get", "pods", "-n", "payments-"+i.owner)
	i.allowed(alice, "get", "pods", "--all-namespaces")
	i.shows("revokedBefore: ")
	i.forbidden(alice, "get", "pods", "--all-namespaces")
	check(t, servers.StartProcess(t.Context(), harness.Vault))
	i.next(0)
	i.forbidden(alice, "get", "pods", "--all-namespaces")
	i.allowed(i.userKubeconfig(i.of("alice")), "get", "pods", "--all-namespaces")
	if i.kv("users/"+i.of("carol")) != nil {
		t.Error("the leaver's credential is left")
	}
	i.next(0)
	if suspended := i.kubectl("get", "cronjob", "certsync-"+i.owner, "-n", "access-"+i.owner, "-o", "jsonpath={.spec.suspend}"); suspended != "false" {
		t.Errorf("suspend: %s", suspended)
	}
}

func vaultIsRestored(t *testing.T, servers *harness.Servers) {
	i := newIncident(t, servers, "Vault is restored from a backup")
	data, backup := filepath.Join(servers.Dir, "data", "vault"), filepath.Join(t.TempDir(), "vault")
	check(t, servers.StopProcess(harness.Vault))
	check(t, os.CopyFS(backup, os.DirFS(data)))
	check(t, servers.StartProcess(t.Context(), harness.Vault))
	stolen, bob := i.userKubeconfig(i.of("alice")), i.userKubeconfig(i.of("bob"))
	i.without("carol")
	i.must(0, "apply", "--yes", "--revoke", i.of("alice"))
	check(t, servers.StopProcess(harness.Vault))
	check(t, os.RemoveAll(data))
	check(t, os.CopyFS(data, os.DirFS(backup)))
	check(t, servers.StartProcess(t.Context(), harness.Vault))

	if i.kv("users/"+i.of("carol")) == nil {
		t.Fatal("the backup has no credential of the leaver")
	}
	i.must(3, "apply", "--yes")
	i.shows("--accept-rollback")
	i.shows("reissue")
	i.next(0)
	if i.kv("users/"+i.of("carol")) != nil {
		t.Error("the leaver's credential is left")
	}
	for _, old := range []string{stolen, bob} {
		i.forbidden(old, "get", "pods", "--all-namespaces")
	}
	i.allowed(i.userKubeconfig(i.of("bob")), "get", "pods", "--all-namespaces")
	i.next(0)
}

// caIsRotated: the old CA is one that signs for users only, and the new one is the CA of the API server and of the administrator.
func caIsRotated(t *testing.T) {
	servers := ownServers(t, harness.Options{ForeignSigner: true})
	pki := func(name string) string { return filepath.Join(servers.Dir, "pki", name) }
	file := func(name string) []byte {
		t.Helper()
		text, err := os.ReadFile(pki(name))
		check(t, err)
		return text
	}
	oldCA, newCA := file("foreign-ca.crt"), file("cluster-ca.crt")
	clients := func(cas ...[]byte) {
		t.Helper()
		check(t, servers.StopProcess(harness.APIServer))
		check(t, os.WriteFile(pki("cluster-ca.crt"), bytes.Join(cas, nil), 0o600))
		check(t, servers.StartProcess(t.Context(), harness.APIServer))
	}
	clients(newCA, oldCA)
	i := newIncident(t, servers, "The CA is rotated")
	before := i.userKubeconfig(i.of("alice"))
	i.write("cluster: {name: e2e, server: '" + servers.KubeURL + "', certificateAuthority: ca.crt}\n" + team)
	kubeconfigs := func(cas ...[]byte) {
		t.Helper()
		check(t, os.WriteFile(filepath.Join(i.dir, "ca.crt"), bytes.Join(cas, nil), 0o600))
	}
	kubeconfigs(newCA)
	i.must(0, "plan", "--detailed-exitcode")

	check(t, servers.StopProcess(harness.ControllerManager))
	check(t, os.WriteFile(pki("foreign-ca.crt"), newCA, 0o600))
	check(t, os.WriteFile(pki("foreign-ca.key"), file("cluster-ca.key"), 0o600))
	check(t, servers.StartProcess(t.Context(), harness.ControllerManager))
	i.next(0)
	kubeconfigs(newCA, oldCA)
	if r := i.next(0); strings.Count(r.stdout, "cluster-ca-changed") < 2 {
		t.Errorf("%s", r.stdout)
	}
	i.allowed(before, "get", "pods", "--all-namespaces")
	after := i.userKubeconfig(i.of("alice"))
	i.allowed(after, "get", "pods", "--all-namespaces")

	clients(newCA)
	if out, err := i.tryKubectl(before, "get", "pods", "--all-namespaces"); err == nil || !strings.Contains(err.Error(), "Unauthorized") {
		t.Errorf("the old certificate: %s, %v", out, err)
	}
	i.allowed(after, "get", "pods", "--all-namespaces")
	kubeconfigs(newCA)
	i.next(0)
	i.allowed(i.userKubeconfig(i.of("alice")), "get", "pods", "--all-namespaces")
}
