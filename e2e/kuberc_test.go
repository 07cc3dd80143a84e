package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// kuberc lets kubectl run one credential plugin. kubectl 1.35 and newer read it, from ~/.kube/kuberc or $KUBERC.
const kuberc = `apiVersion: kubectl.config.k8s.io/v1beta1
kind: Preference
credentialPluginPolicy: Allowlist
credentialPluginAllowlist:
  - name: %s
`

// TestKuberc: kubectl runs certsync as its exec plugin if the allowlist has it, by name or by path, and refuses it otherwise.
func TestKuberc(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	f.write("cluster: CLUSTER\nusers: [{name: alice@OWNER, clusterRoles: [view]}]")
	f.must(0, "apply", "--yes")
	bin := t.TempDir()
	if err := os.Symlink(certsync, filepath.Join(bin, "certsync")); err != nil {
		t.Fatal(err)
	}
	f.env = append(f.env, "PATH="+bin+":"+os.Getenv("PATH"))
	text := f.must(0, "kubeconfig", "--owner", f.owner, "--user", "alice@"+f.owner, "--exec").stdout
	if !strings.Contains(text, "command: certsync\n") {
		t.Fatalf("kubectl would run something else: %s", text)
	}
	kubeconfig, allowlist := filepath.Join(bin, "kubeconfig"), filepath.Join(bin, "kuberc")
	if err := os.WriteFile(kubeconfig, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for allowed, want := range map[string]string{
		"certsync": "", filepath.Join(bin, "certsync"): "", "aws": "certsync\" is not permitted by the credential plugin allowlist",
	} {
		if err := os.WriteFile(allowlist, fmt.Appendf(nil, kuberc, allowed), 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), commandTimeout)
		defer cancel()
		cmd := f.command(ctx, "--kubeconfig", kubeconfig, "auth", "whoami")
		cmd.Path, cmd.Args[0] = shared.KubectlPath, "kubectl"
		cmd.Env = append(cmd.Env, "KUBERC="+allowlist, "HOME="+bin) // the exec plugin keeps the key there
		r := f.wait(cmd)
		if want == "" && (r.code != 0 || !strings.Contains(r.stdout, "alice@"+f.owner)) || want != "" && (r.code == 0 || !strings.Contains(r.stderr, want)) {
			t.Errorf("with %s allowed: exit %d, want %q: %s%s", allowed, r.code, want, r.stdout, r.stderr)
		}
	}
}
