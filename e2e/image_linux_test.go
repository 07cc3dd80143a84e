package e2e

import (
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestImageRuns: the image's binary works with nothing else in its root file system but what is mounted there, as a user
// who owns nothing of it: alone, and with a real cluster and a real Vault.
func TestImageRuns(t *testing.T) {
	t.Parallel()
	c := newContainer(t)
	f := newFixture(t, shared)
	cluster := fmt.Sprintf("{server: %q, certificateAuthorityData: %s}", f.servers.KubeURL, base64.StdEncoding.EncodeToString(f.servers.CACert))
	inventory := fmt.Sprintf("apiVersion: certsync.dev/v1\nkind: Inventory\nowner: %s\ncluster: %s\nusers: [{name: alice@%[1]s, clusterRoles: [view]}]\n", f.owner, cluster)
	c.put("/etc/certsync/users.yaml", 0o444, []byte(inventory))
	c.put("/etc/certsync/secret.yaml", 0, []byte(inventory))
	c.put("/etc/certsync/kubeconfig", 0o444, read(t, f.kubeconfig))
	c.put("/etc/certsync/vault-ca.crt", 0o444, read(t, f.servers.VaultCACert))
	env := []string{"CERTSYNC_FILE=/etc/certsync/users.yaml", "KUBECONFIG=/etc/certsync/kubeconfig",
		"VAULT_ADDR=" + f.servers.VaultAddr, "VAULT_TOKEN=" + f.servers.VaultToken, "VAULT_CACERT=/etc/certsync/vault-ca.crt"}

	for _, run := range []struct {
		what   string
		env    []string
		args   []string
		code   int
		output string
	}{
		{"its version", nil, []string{"version"}, 0, "certsync " + c.config.Config.Labels["org.opencontainers.image.version"] + "\n"},
		{"an inventory", env, []string{"validate"}, 0, "owner " + f.owner + ", 1 user"},
		{"a file that its user may not read", env, []string{"validate", "-f", "/etc/certsync/secret.yaml"}, 1, "permission denied"},
		{"nothing of the environment that it was not given", nil, []string{"validate"}, 1, "users.yaml: no such file"},
		{"apply", env, []string{"apply", "--yes"}, 0, "alice@" + f.owner},
		{"nothing left to do", env, []string{"plan", "--detailed-exitcode"}, 0, ""},
	} {
		r := f.runInContainer(c, run.env, run.args...)
		if r.code != run.code || !strings.Contains(r.stdout+r.stderr, run.output) {
			t.Errorf("%s: certsync %s: exit %d, want %d and %q\n%s%s", run.what, strings.Join(run.args, " "), r.code, run.code, run.output, r.stdout, r.stderr)
		}
	}
	who, err := f.tryKubectl(f.userKubeconfig("alice@"+f.owner), "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
	if err != nil || who != "alice@"+f.owner {
		t.Errorf("alice's kubeconfig is %q's: %v", who, err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
