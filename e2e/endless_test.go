package e2e

import (
	"bytes"
	"context"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/vault/api"

	"github.com/certsync/certsync/e2e/harness"
)

// TestAnswersWithoutEnd: an API server or a Vault that answers one call without an end gets an error that names it, and
// costs neither gigabytes of memory nor of traffic.
func TestAnswersWithoutEnd(t *testing.T) {
	t.Parallel()
	const namespace = "endless"
	makeNamespace(t, namespace)
	f := newFaulty(t, namespace)
	for name, test := range map[string]struct {
		server, method, path string // path ends so
		attempts             int64  // a list is tried again with smaller pages
		limit                int64
	}{
		"bindings":        {harness.APIServer, "GET", "/clusterrolebindings", 4, 16 << 20},
		"namespaces":      {harness.APIServer, "GET", "/namespaces", 4, 16 << 20},
		"the lock":        {harness.APIServer, "GET", "/leases/certsync-" + f.owner, 1, 16 << 20},
		"who it is":       {harness.APIServer, "POST", "/selfsubjectreviews", 1, 16 << 20},
		"the state":       {harness.Vault, "GET", "/" + f.owner + "/state", 1, 4 << 20},
		"the ledger":      {harness.Vault, "GET", "/" + f.owner + "/ledger", 1, 4 << 20},
		"a Vault's mount": {harness.Vault, "GET", "/sys/internal/ui/mounts/secret", 1, 4 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			var sent atomic.Int64
			f.proxy.Intercept(func(c harness.Call) harness.Fault {
				if c.Server == test.server && c.Method == test.method && strings.HasSuffix(strings.TrimSuffix(c.Path, "/"), test.path) {
					return harness.Fault{Flood: &sent}
				}
				return harness.Fault{}
			})
			defer f.proxy.Intercept(nil)
			ctx, cancel := context.WithTimeout(t.Context(), commandTimeout)
			defer cancel()
			run := f.command(ctx, "apply", "--yes")
			run.Env = append(run.Env, "GOGC=") // as much memory as users need
			var stdout, stderr bytes.Buffer
			run.Stdout, run.Stderr = &stdout, &stderr
			check(t, run.Start())
			peak := watchMemory(run.Process.Pid)
			if err := run.Wait(); err == nil || run.ProcessState.ExitCode() != 1 {
				t.Errorf("%v\n%s", err, stdout.String())
			}
			address := map[string]string{harness.APIServer: f.proxy.KubeURL, harness.Vault: f.proxy.VaultAddr}[test.server]
			for _, want := range []string{"the answer of " + address + " to " + test.method, test.path, "bytes, the most that certsync reads", "\nhint: "} {
				if !strings.Contains(stderr.String(), want) {
					t.Errorf("%q is not in: %s", want, stderr.String())
				}
			}
			if most := 2 * test.attempts * (test.limit + 32<<20); sent.Load() == 0 || sent.Load() > most {
				t.Errorf("%d bytes were sent, at most %d were to be", sent.Load(), most)
			}
			// Of the binary with the race detector, too; it takes several times as much.
			if most := peak(); most == 0 || most > 1<<30 {
				t.Errorf("it took %d MiB", most>>20)
			}
		})
	}
}

// TestHostileAuthMount: who may mount auth methods chooses what a user is told to paste.
func TestHostileAuthMount(t *testing.T) {
	t.Parallel()
	f := newFixture(t, ownServers(t, harness.Options{}))
	const mount = "x; touch pasted; true"
	check(t, f.vault.Sys().EnableAuthWithOptions(mount, &api.EnableAuthOptions{Type: "userpass", Config: api.AuthConfigInput{ListingVisibility: "unauth"}}))
	f.env = append(f.env, "VAULT_TOKEN=")
	r := f.certsync("kubeconfig", "--owner="+f.owner, "--user=alice@"+f.owner)
	const want = "vault login -method=userpass '-path=" + mount + "'"
	if r.code != 1 || !strings.Contains(r.stderr, want) {
		t.Fatalf("exit %d: %s", r.code, r.stderr)
	}
	out, err := exec.CommandContext(t.Context(), "sh", "-c", "printf '<%s>' "+want).Output()
	if err != nil || string(out) != "<vault><login><-method=userpass><-path="+mount+">" {
		t.Errorf("%s, %v", out, err)
	}
}
