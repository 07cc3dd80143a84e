package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certsync/certsync/e2e/harness"
)

// TestTwoAtOnce: of two applies at once, of inventories that disagree, one does all of its own. The other is refused, or
// finds the lock taken, or comes after it. The end is that of one inventory.
func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	for round := range repeats(4, 15) {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			f := newPair(t)
			if round%2 == 1 { // one waits for the other
				f.env = append(f.env, "CERTSYNC_LOCK_TIMEOUT=60s")
			}
			first := f.start(f.command(t.Context(), applying(0)...))
			second := f.start(f.command(t.Context(), applying(1)...))
			results := []result{first(), second()}
			for which, r := range results {
				if !slices.Contains([]int{0, 3, 4}, r.code) {
					t.Errorf("apply %d: exit %d\n%s%s", which, r.code, r.stdout, r.stderr)
				}
			}
			if results[0].code != 0 && results[1].code != 0 {
				t.Errorf("nobody won: %+v", results)
			}
			zero, one := f.planOf("0.yaml"), f.planOf("1.yaml")
			if zero.Changes == one.Changes {
				t.Errorf("the end is that of neither: exits %d and %d, left %q and %q", results[0].code, results[1].code, zero.steps(), one.steps())
			}
			f.accounted()
			f.nothingLost()
		})
	}
}

// TestOneAtATime: while an apply writes, no other begins, and who is turned away learns by whom.
func TestOneAtATime(t *testing.T) {
	t.Parallel()
	f := newPair(t)
	first, second := f.nested(20)
	if first.code != 0 || second.code != 4 {
		t.Errorf("exits %d and %d\n%s%s", first.code, second.code, first.stderr, second.stderr)
	}
	for _, want := range []string{"kube-system/certsync-" + f.owner, "certsync-" + f.owner + " on ", "renewed ", "hint: "} {
		if !strings.Contains(second.stderr, want) {
			t.Errorf("%q is not in: %s", want, second.stderr)
		}
	}
	if p := f.planOf("0.yaml"); p.Changes {
		t.Errorf("left: %q", p.steps())
	}
	f.accounted()
}

// TestLockOfTheDead: a run that was killed keeps the lock for a minute at most. The next waits for that, if it is told
// to.
func TestLockOfTheDead(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	f.write("users: [{name: alice@OWNER}, {name: bob@OWNER}]")
	proxy, err := f.servers.StartProxy()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { check(t, proxy.Stop()) })
	kubeconfig, err := proxy.UserKubeconfig("certsync-"+f.owner, []string{"system:masters"})
	if err != nil {
		t.Fatal(err)
	}
	cmd, started := f.command(t.Context(), "apply", "--yes"), make(chan struct{})
	cmd.Env = append(cmd.Env, "KUBECONFIG="+kubeconfig)
	proxy.Intercept(func(c harness.Call) harness.Fault {
		if !strings.HasSuffix(c.Path, "/approval") {
			return harness.Fault{}
		}
		return harness.Fault{Drop: harness.AfterServer, Do: func() { <-started; _ = cmd.Process.Kill() }}
	})
	finish := f.start(cmd)
	close(started)
	if r := finish(); r.code != -1 {
		t.Fatalf("exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	killed := time.Now() // its last renewal was at most 15 s before
	if r := f.must(4, "apply", "--yes"); !strings.Contains(r.stderr, "kubectl patch lease -n kube-system certsync-"+f.owner) {
		t.Error(r.stderr)
	}
	f.must(0, "apply", "--yes", "--lock-timeout=90s")
	if waited := time.Since(killed); waited < 30*time.Second {
		t.Errorf("it took the lock of a run that may live after %s", waited)
	}
	if p := f.plan(); p.Changes {
		t.Errorf("left: %q", p.steps())
	}
	f.accounted()
}

// TestFreeingALock: the printed command frees the lock of the run that it was printed about. A run that has it by the time
// that somebody pastes that keeps it.
func TestFreeingALock(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	f.write("users: [{name: alice@OWNER}]")
	f.must(0, "apply", "--yes")
	f.write("users: [{name: alice@OWNER, clusterRoles: [view]}]")
	held := func(by string) { // until an hour from now, however slow this machine is
		t.Helper()
		f.kubectl("patch", "lease", "-n", "kube-system", "certsync-"+f.owner, "--type=merge", "-p", fmt.Sprintf(
			`{"spec":{"holderIdentity":%q,"leaseDurationSeconds":600,"renewTime":%q}}`, by, time.Now().Add(time.Hour).UTC().Format("2006-01-02T15:04:05.000000Z07:00")))
	}
	command := func() string {
		t.Helper()
		_, line, _ := strings.Cut(f.must(4, "apply", "--yes").stderr, "free the lock: ")
		line, _, _ = strings.Cut(line, "\n")
		return line
	}
	held("a run that is dead")
	stale := command()
	held("a run that lives")
	if out, err := f.paste(f.kubeconfig, stale); err == nil || !strings.Contains(out, "the object has been modified") {
		t.Errorf("%s: %v\n%s", stale, err, out)
	}
	fresh := command()
	if out, err := f.paste(f.kubeconfig, fresh); err != nil {
		t.Errorf("%s: %v\n%s", fresh, err, out)
	}
	f.must(0, "apply", "--yes")
}
