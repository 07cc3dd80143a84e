package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/certsync/certsync/e2e/harness"
)

// applyPolicy is the example's policy for apply.
func (f *fixture) applyPolicy(t *testing.T) string {
	t.Helper()
	return f.policy("apply", f.example("vault/apply.hcl"))
}

// TestLogin: by each method plan, status and apply work with no more of Vault than apply needs, although a root token
// stands in the environment; and however a run ends, no token of it lives on.
func TestLogin(t *testing.T) {
	t.Parallel()
	for name, setUp := range methods {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, shared)
			m := setUp(f, []string{f.applyPolicy(t)}, nil)
			f.env = m.env
			f.write("users: [{name: alice@OWNER}]")
			from := f.size(shared.VaultAuditLog)
			for _, run := range []struct {
				code int
				args []string
			}{
				{2, []string{"plan", "--detailed-exitcode"}},
				{3, []string{"apply"}},
				{0, []string{"apply", "--yes"}},
				{0, []string{"status"}},
				{80, []string{"plan", "--retry=nobody"}},
				{1, []string{"plan", "--vault-mount=cubbyhole"}},
			} {
				if r := f.must(run.code, run.args...); strings.Contains(r.stderr, "revoking") {
					t.Errorf("%q: %s", run.args, r.stderr)
				}
				f.noTokens(m.mount)
			}
			if n := f.logins(m.mount, from); n != 6 {
				t.Errorf("%d logins", n)
			}
			for _, r := range f.vaultRequests(from) {
				if !strings.HasPrefix(r.Auth.DisplayName, m.mount) {
					t.Errorf("%s of %s by %q", r.Request.Operation, r.Request.Path, r.Auth.DisplayName)
				}
			}
			f.env = m.wrong
			if r := f.must(1, "plan"); !strings.Contains(r.stderr, m.refusal) || !strings.Contains(r.stderr, "\nhint: ") {
				t.Errorf("plan with what is wrong: %s", r.stderr)
			}
			f.noTokens(m.mount)
		})
	}
}

// loggedIn lists what Vault did since the byte offset from for whoever logged in at a mount, the logins included.
func (f *fixture) loggedIn(mount string, from int64) []string {
	f.Helper()
	var all []string
	for _, line := range f.log(f.servers.VaultAuditLog, from) {
		var r vaultRequest
		if json.Unmarshal([]byte(line), &r) == nil && r.Type == "response" && r.Error == "" && strings.HasPrefix(r.Auth.DisplayName, mount) {
			all = append(all, r.Request.Operation+" "+r.Request.Path)
		}
	}
	return all
}

// logins counts those at a mount that Vault let in.
func (f *fixture) logins(mount string, from int64) int {
	f.Helper()
	return f.asked(mount, "auth/"+mount+"/login", from)
}

func (f *fixture) asked(mount, path string, from int64) int {
	f.Helper()
	all := f.loggedIn(mount, from)
	return len(slices.DeleteFunc(all, func(r string) bool { return r != "update "+path }))
}

// TestTokensOfOtherKinds: one that can neither be renewed nor revoked ends by itself, without a word; and one that is
// for a number of requests is refused.
func TestTokensOfOtherKinds(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	f.write("users: []")
	m := withAppRole(f, []string{f.applyPolicy(t)}, nil)
	f.env = m.env
	for kind, settings := range map[string]map[string]any{
		"batch":   {"token_type": "batch", "token_ttl": "1m"},
		"one use": {"token_num_uses": 1},
		"uses":    {"token_num_uses": 9},
	} {
		f.authRole(m.mount, "robot", map[string]any{"token_type": "service", "token_num_uses": 0}, settings)
		code, want := 1, "its tokens allow a limited number of requests\nhint: set token_num_uses=0 on the role\n"
		if kind == "batch" {
			code, want = 0, ""
		}
		if r := f.must(code, "plan"); !strings.HasSuffix(r.stderr, want) || want == "" && r.stderr != "" {
			t.Errorf("%s: %s", kind, r.stderr)
		}
		f.noTokens(m.mount)
	}
}

// TestLoginInterrupted: SIGTERM in the middle of an apply. What is under way is written, and then the token goes.
func TestLoginInterrupted(t *testing.T) {
	t.Parallel()
	for name, setUp := range methods {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			interrupted(t, setUp)
		})
	}
}

func interrupted(t *testing.T, setUp func(f *fixture, policies []string, more map[string]any) method) {
	f := newFixture(t, shared)
	m := setUp(f, []string{f.applyPolicy(t)}, nil)
	f.write("cluster: CLUSTER\nusers: [{name: alice@OWNER}, {name: bob@OWNER}, {name: carol@OWNER}]")
	f.env = append(m.env, "CERTSYNC_MAX_IN_FLIGHT=1")
	proxy := f.throughProxy()
	from := f.size(shared.VaultAuditLog)
	ctx, cancel := context.WithTimeout(t.Context(), commandTimeout)
	defer cancel()
	cmd, once, started, noticed := f.command(ctx, "apply", "--yes"), sync.Once{}, make(chan struct{}), make(chan struct{})
	proxy.Intercept(func(c harness.Call) harness.Fault {
		if c.Server == harness.Vault && c.Method == http.MethodPut && strings.Contains(c.Path, "/"+f.owner+"/ledger/") {
			once.Do(func() { // another signal would end it at once
				<-started
				_ = cmd.Process.Signal(syscall.SIGTERM)
				<-noticed
			})
		}
		return harness.Fault{}
	})
	finish := f.startUntil(cmd, "interrupted: ", noticed)
	close(started)
	r := finish()
	if r.code != 130 || !strings.Contains(r.stdout, " not done") {
		t.Errorf("exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	f.noTokens(m.mount)
	requests := f.loggedIn(m.mount, from)
	for i, path := range requests {
		if last := i == len(requests)-1; last != (path == "update auth/token/revoke-self") {
			t.Errorf("request %d of %d: %s", i, len(requests), path)
		}
	}
	proxy.Intercept(nil)
	f.must(0, "apply", "--yes")
	f.accounted()
	f.noTokens(m.mount)
}

// startUntil starts a command, and finish waits for its end; said is closed when it has said a text on stderr, at the
// latest when it has ended.
func (f *fixture) startUntil(cmd *exec.Cmd, text string, said chan<- struct{}) (finish func() result) {
	f.Helper()
	var stdout, stderr strings.Builder
	cmd.Stdout = &stdout
	talk, err := cmd.StderrPipe()
	if err != nil {
		f.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		f.Fatal(err)
	}
	return func() result {
		tell := sync.OnceFunc(func() { close(said) })
		for scanner := bufio.NewScanner(talk); scanner.Scan(); {
			stderr.WriteString(scanner.Text() + "\n")
			if strings.Contains(scanner.Text(), text) {
				tell()
			}
		}
		tell()
		_ = cmd.Wait()
		f.seen.WriteString(stdout.String() + stderr.String())
		return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
	}
}

// TestLongRun: a run that takes longer than its token may live, renewed or not, does not notice.
func TestLongRun(t *testing.T) {
	t.Parallel()
	for name, setUp := range methods {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, shared)
			m := setUp(f, []string{f.applyPolicy(t)}, map[string]any{"token_ttl": "2s", "token_max_ttl": "4s"})
			f.write("cluster: CLUSTER\nusers: [{name: alice@OWNER}, {name: bob@OWNER}, {name: carol@OWNER}, {name: dan@OWNER}]")
			f.env = append(m.env, "CERTSYNC_MAX_IN_FLIGHT=1")
			proxy := f.throughProxy()
			proxy.Intercept(func(c harness.Call) harness.Fault {
				if strings.HasSuffix(c.Path, "/approval") {
					<-time.After(2 * time.Second)
				}
				return harness.Fault{}
			})
			from := f.size(shared.VaultAuditLog)
			f.must(0, "apply", "--yes")
			if logins, renewals := f.logins(m.mount, from), f.asked(m.mount, "auth/token/renew-self", from); logins < 2 || renewals < 1 {
				t.Errorf("%d logins and %d renewals", logins, renewals)
			}
			f.noTokens(m.mount)
			f.accounted()
		})
	}
}

// throughProxy has certsync go through a proxy from now on.
func (f *fixture) throughProxy() *harness.Proxy {
	f.Helper()
	proxy, err := f.servers.StartProxy()
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = proxy.Stop() })
	kubeconfig, err := proxy.UserKubeconfig("certsync-"+f.owner, []string{"system:masters"})
	if err != nil {
		f.Fatal(err)
	}
	f.env = append(f.env, "KUBECONFIG="+kubeconfig, "VAULT_ADDR="+proxy.VaultAddr)
	return proxy
}
