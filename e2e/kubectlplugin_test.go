package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestKubectlPlugin: kubectl runs the binary named kubectl-certsync, with its flags, exit codes and exec plugin.
func TestKubectlPlugin(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	f.write("cluster: CLUSTER\nusers: [{name: alice@OWNER, clusterRoles: [view]}]\n")
	bin := t.TempDir()
	if err := os.Symlink(certsync, filepath.Join(bin, "kubectl-certsync")); err != nil {
		t.Fatal(err)
	}
	kubectl := func(args ...string) result {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), commandTimeout)
		defer cancel()
		cmd := f.command(ctx, args...)
		cmd.Path, cmd.Args[0] = shared.KubectlPath, "kubectl"
		cmd.Env = append(cmd.Env, "PATH="+bin+":"+os.Getenv("PATH"), "HOME="+bin) // the exec plugin keeps the key there
		return f.wait(cmd)
	}
	for _, step := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"certsync", "plan", "--help"}, 0, "Usage: kubectl certsync plan [flags]"},
		{[]string{"certsync", "plan", "-f", "users.yaml", "--detailed-exitcode"}, 2, "alice@" + f.owner},
		{[]string{"certsync", "apply", "--none"}, 80, "hint: run kubectl certsync apply --help for the list of flags"},
		{[]string{"certsync", "apply", "--yes"}, 0, "Applied to " + f.owner},
		{[]string{"certsync", "kubeconfig", "--owner", f.owner, "--user", "alice@" + f.owner, "--exec"}, 0, "command: kubectl-certsync\n"},
	} {
		r := kubectl(step.args...)
		if r.code != step.code || !strings.Contains(r.stdout+r.stderr, step.want) {
			t.Errorf("kubectl %q: exit %d, want %d and %q: %s%s", step.args, r.code, step.code, step.want, r.stdout, r.stderr)
		}
		if step.code == 0 && strings.Contains(step.want, "command:") {
			if err := os.WriteFile(filepath.Join(bin, "kubeconfig"), []byte(r.stdout), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if r := kubectl("--kubeconfig", filepath.Join(bin, "kubeconfig"), "auth", "whoami"); r.code != 0 || !strings.Contains(r.stdout, "alice@"+f.owner) {
		t.Errorf("the exec plugin: exit %d: %s%s", r.code, r.stdout, r.stderr)
	}
}
