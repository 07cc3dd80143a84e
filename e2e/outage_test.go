package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/certsync/certsync/e2e/harness"
)

// ownServers starts a set that the test may stop, seal and kill.
func ownServers(t testing.TB, o harness.Options) *harness.Servers {
	t.Helper()
	return startServers(t, serversBinary, o)
}

// startServers is ownServers of another binary.
func startServers(t testing.TB, binary string, o harness.Options) *harness.Servers {
	t.Helper()
	servers, err := harness.Start(t.Context(), binary, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := servers.Stop(); err != nil {
			t.Error(err)
		}
	})
	return servers
}

// TestSignerThatNeverIssues: as on EKS. One user waits, the others are spared; nothing is stored.
func TestSignerThatNeverIssues(t *testing.T) {
	t.Parallel()
	f := newFixture(t, ownServers(t, harness.Options{WithoutSigner: true}))
	f.write("users: [{name: alice@OWNER}, {name: bob@OWNER}, {name: carol@OWNER}]")
	r := f.must(1, "apply", "--yes")
	for _, want := range []string{"issue alice@OWNER: failed", "in time: certsync waited 30s", "EKS", "issue bob@OWNER: held", "issue carol@OWNER: held"} {
		if want = strings.ReplaceAll(want, "OWNER", f.owner); !strings.Contains(r.stdout, want) {
			t.Errorf("%q is not in: %s", want, r.stdout)
		}
	}
	f.nothingStored()
	if c := f.preflight(1, "--issue")["signer"]; c.Result != "failed" || !strings.Contains(c.Detail, "in time: certsync waited 30s") || !strings.Contains(c.Hint, "EKS") {
		t.Errorf("preflight: %+v", c)
	}
	if left := f.kubectl("get", "csr", "-o", "name"); left != "" {
		t.Errorf("left over: %s", left)
	}
}

// TestSignerThatNobodyTrusts: certificates are issued, and the API server answers them with 401.
func TestSignerThatNobodyTrusts(t *testing.T) {
	t.Parallel()
	f := newFixture(t, ownServers(t, harness.Options{ForeignSigner: true}))
	f.write("users: [{name: alice@OWNER, clusterRoles: [view]}, {name: bob@OWNER}]")
	r := f.must(1, "apply", "--yes")
	for _, want := range []string{"issue alice@OWNER: failed: logging in with the new certificate", "bind alice@OWNER", "issue bob@OWNER: held"} {
		if want = strings.ReplaceAll(want, "OWNER", f.owner); !strings.Contains(r.stdout, want) {
			t.Errorf("%q is not in: %s", want, r.stdout)
		}
	}
	f.nothingStored()
	if c := f.preflight(1, "--issue")["signer"]; c.Result != "failed" || !strings.Contains(c.Detail, "logging in with the new certificate") || !strings.Contains(c.Hint, "--client-ca-file") {
		t.Errorf("preflight: %+v", c)
	}
	if bindings := f.kubectl("get", "clusterrolebindings", "-l", "certsync.dev/owner="+f.owner, "-o", "name"); bindings != "" {
		t.Errorf("bound: %s", bindings)
	}
}

// nothingStored checks that no user has a record or a credential.
func (f *fixture) nothingStored() {
	f.Helper()
	for _, folder := range []string{"users", "ledger"} {
		if list, err := f.vault.Logical().List("secret/metadata/certsync/" + f.owner + "/" + folder); list != nil || err != nil {
			f.Errorf("%s: %v, %v", folder, list, err)
		}
	}
}

// crowd is an inventory of n users, each with a role of their own, and all in one group.
func crowd(n int) string { return crowdOf(0, n) }

// crowdOf has the users of a crowd from one number to before another.
func crowdOf(from, to int) string {
	var b strings.Builder
	b.WriteString("groups: [{name: devs-OWNER, clusterRoles: [view]}]\nusers:\n")
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, "  - {name: user%03d@OWNER, groups: [devs-OWNER], clusterRoles: [edit]}\n", i)
	}
	return b.String()
}

// quickSigner has the controller manager issue as fast as it can, not 20 a second.
var quickSigner = []string{"--kube-api-qps=2000", "--kube-api-burst=4000"}

// TestOutages breaks each part in the middle of an apply of many users, for good or for a moment. Every time the run
// ends with success or says what broke, and the next one ends where an undisturbed one would.
func TestOutages(t *testing.T) {
	t.Parallel()
	servers := ownServers(t, harness.Options{ControllerManagerArgs: quickSigner})
	kill := func(process string) func(*testing.T, *exec.Cmd) {
		return func(t *testing.T, _ *exec.Cmd) { check(t, servers.KillProcess(process)) }
	}
	restart := func(process string) func(*testing.T, *exec.Cmd) {
		return func(t *testing.T, _ *exec.Cmd) {
			check(t, servers.StopProcess(process))
			check(t, servers.StartProcess(t.Context(), process))
		}
	}
	revive := func(process string) func(context.Context) error {
		return func(ctx context.Context) error { return servers.StartProcess(ctx, process) }
	}
	tests := []struct {
		name   string
		harm   func(t *testing.T, run *exec.Cmd)
		repair func(ctx context.Context) error
		codes  []int
	}{
		{"certsync is killed", func(_ *testing.T, run *exec.Cmd) { _ = run.Process.Kill() }, nil, []int{-1}},
		{"certsync is interrupted", func(_ *testing.T, run *exec.Cmd) { _ = run.Process.Signal(syscall.SIGINT) }, nil, []int{130}},
		{"the API server dies", kill(harness.APIServer), revive(harness.APIServer), []int{1}},
		{"the API server is restarted", restart(harness.APIServer), nil, []int{0, 1}},
		{"Vault dies", kill(harness.Vault), revive(harness.Vault), []int{1}},
		{"Vault is restarted", restart(harness.Vault), nil, []int{0, 1}},
		{"Vault is sealed", func(t *testing.T, _ *exec.Cmd) { check(t, servers.SealVault(t.Context())) }, servers.UnsealVault, []int{1}},
		{"the controller manager is restarted", restart(harness.ControllerManager), nil, []int{0, 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, servers)
			users := repeats(40, 200)
			f.write(crowd(users))
			code, output := f.disturbed(func(run *exec.Cmd) { tt.harm(t, run) })
			if tt.repair != nil {
				check(t, tt.repair(t.Context()))
			}
			check(t, servers.WaitSigner(t.Context()))
			if !slices.Contains(tt.codes, code) {
				t.Errorf("exit %d\n%s", code, output)
			}
			f.converges()
			f.allowed(f.userKubeconfig(fmt.Sprintf("user%03d@%s", users-1, f.owner)), "get", "pods", "-A")
		})
	}
}

// TestSignerDies is an outage, too, that takes as long as certsync waits for a certificate.
func TestSignerDies(t *testing.T) {
	t.Parallel()
	servers := ownServers(t, harness.Options{ControllerManagerArgs: quickSigner})
	f := newFixture(t, servers)
	f.write(crowd(60))
	code, output := f.disturbed(func(*exec.Cmd) { check(t, servers.KillProcess(harness.ControllerManager)) })
	if code != 1 || !strings.Contains(output, "in time: ") {
		t.Errorf("exit %d\n%s", code, output)
	}
	check(t, servers.StartProcess(t.Context(), harness.ControllerManager))
	f.converges()
}

// converges checks that one apply does all that is left.
func (f *fixture) converges() {
	f.Helper()
	f.breakLock()
	f.must(0, "apply", "--yes")
	if p := f.plan(); p.Changes {
		f.Errorf("left: %q", p.steps())
	}
	f.accounted()
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// disturbed starts an apply, does harm once some users are through, and returns how it ended.
func (f *fixture) disturbed(harm func(run *exec.Cmd)) (code int, output string) {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), commandTimeout)
	defer cancel()
	run := f.command(ctx, "apply", "--yes", "--max-in-flight=25")
	var stdout bytes.Buffer
	run.Stdout = &stdout
	stderr, err := run.StderrPipe()
	if err != nil {
		f.Fatal(err)
	}
	if err := run.Start(); err != nil {
		f.Fatal(err)
	}
	var all strings.Builder
	done := 0
	for scanner := bufio.NewScanner(stderr); scanner.Scan(); {
		fmt.Fprintln(&all, scanner.Text())
		f.seen.Write(append(scanner.Bytes(), '\n'))
		if strings.Contains(scanner.Text(), "issue user") {
			done++
		}
		if done == 8 {
			done++ // once
			harm(run)
		}
	}
	_ = run.Wait()
	f.seen.Write(stdout.Bytes())
	return run.ProcessState.ExitCode(), all.String()
}

// TestLeaversDoNotWait: without a signer nobody new gets in, and whoever leaves is out all the same.
func TestLeaversDoNotWait(t *testing.T) {
	t.Parallel()
	servers := ownServers(t, harness.Options{})
	f := newFixture(t, servers)
	f.namespace("staging")
	f.namespace("payments")
	f.write(team)
	f.must(0, "apply", "--yes")
	alice, carol := f.userKubeconfig("alice@"+f.owner), f.userKubeconfig("carol@"+f.owner)
	check(t, servers.StopProcess(harness.ControllerManager))
	began := time.Now()
	f.write(strings.NewReplacer("name: alice@OWNER", "name: dan@OWNER", "payments-OWNER: [admin]", "payments-OWNER: [view]").Replace(team))
	r := f.must(1, "apply", "--yes")
	if !strings.Contains(r.stdout, "issue dan@"+f.owner+": failed") {
		t.Error(r.stdout)
	}
	if waited := time.Since(began); waited < 30*time.Second {
		t.Errorf("the signer got %s", waited)
	}
	f.forbidden(alice, "get", "pods", "-A")
	f.allowed(carol, "get", "pods", "-n", "payments-"+f.owner)
	f.forbidden(carol, "get", "secrets", "-n", "payments-"+f.owner)
	if f.kv("users/alice@"+f.owner) != nil {
		t.Error("the leaver's credential is still there")
	}
	check(t, servers.StartProcess(t.Context(), harness.ControllerManager))
	check(t, servers.WaitSigner(t.Context()))
	f.must(0, "apply", "--yes")
	f.allowed(f.userKubeconfig("dan@"+f.owner), "get", "pods", "-A")
}
