package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/certsync/certsync/e2e/harness"
)

// before is what stands when two inventories of one owner are applied that disagree in everything: who is there, their
// groups and their roles.
func before() (inventory string, pair [2]string) {
	inventory = `
cluster: CLUSTER
users:
  - {name: alice@OWNER}
  - {name: bob@OWNER}
  - {name: carol@OWNER}
`
	pair = [2]string{`
cluster: CLUSTER
groups: [{name: devs-OWNER, clusterRoles: [view]}, {name: ops-OWNER, clusterRoles: [edit]}]
users:
  - {name: dan@OWNER, groups: [devs-OWNER]}
  - {name: alice@OWNER, groups: [devs-OWNER]}
  - {name: bob@OWNER, groups: [devs-OWNER, ops-OWNER]}
  - {name: carol@OWNER, clusterRoles: [edit]}
`, `
cluster: CLUSTER
groups: [{name: devs-OWNER, clusterRoles: [edit]}, {name: ops-OWNER, clusterRoles: [edit]}]
users:
  - {name: erin@OWNER, groups: [devs-OWNER]}
  - {name: alice@OWNER, groups: [devs-OWNER]}
  - {name: bob@OWNER, groups: [ops-OWNER]}
  - {name: carol@OWNER, clusterRoles: [view]}
`}
	for n := range 8 {
		inventory += fmt.Sprintf("  - {name: user%d@OWNER}\n", n)
		pair[0] += fmt.Sprintf("  - {name: user%d@OWNER, groups: [devs-OWNER]}\n", n)
		pair[1] += fmt.Sprintf("  - {name: user%d@OWNER, groups: [ops-OWNER]}\n", n)
	}
	return inventory, pair
}

// TestTwoWithoutLock: two applies at once, of inventories that disagree, whose locks are in two namespaces: one has a
// whole run between two writes of the other's. No write of one is lost by the other's, and one more apply makes the end
// that of one inventory.
func TestTwoWithoutLock(t *testing.T) {
	t.Parallel()
	seed := drawSeed(t)
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("drawn by the seed %d (CERTSYNC_SEED)", seed)
	for round := range repeats(3, 15) {
		between := random.IntN(60)
		if round == 0 {
			between = 0 // the whole of its plan on what was read before
		}
		t.Run(fmt.Sprintf("%d, before write %d", round, between), func(t *testing.T) {
			f := newPair(t)
			first, second := f.nested(between, "--lock-namespace=default", "--accept-rollback")
			for which, r := range []result{first, second} {
				if !slices.Contains([]int{0, 1, 3}, r.code) || strings.Contains(r.stderr, "panic: ") {
					t.Errorf("apply %d: exit %d\n%s%s", which, r.code, r.stdout, r.stderr)
				}
			}
			if second.code != 0 {
				t.Errorf("the one that nothing disturbed: exit %d\n%s%s", second.code, second.stdout, second.stderr)
			}
			f.nothingLost()
			// Of the second's, which nobody who was removed meanwhile is in.
			f.must(0, applying(1)...)
			if p := f.planOf("1.yaml"); p.Changes {
				t.Errorf("left: %q", p.steps())
			}
			f.accounted()
			f.nothingLost()
		})
	}
}

// newPair is a fixture with the pair in 0.yaml and 1.yaml, of which neither has been applied.
func newPair(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t, shared)
	f.env = append(f.env, "CERTSYNC_MAX_REMOVALS=100%") // changes are many for so few users
	inventory, pair := before()
	f.write(inventory)
	f.must(0, "apply", "--yes")
	for which, text := range pair {
		f.write(text)
		if err := os.Rename(filepath.Join(f.dir, "users.yaml"), filepath.Join(f.dir, fmt.Sprintf("%d.yaml", which))); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// applying is how to apply one of the pair.
func applying(which int) []string {
	return []string{"apply", "--yes", "-f", fmt.Sprintf("%d.yaml", which)}
}

// nested applies the first of the pair, and the second from begin to end before a write of the first's plan, if that comes
// to so many.
func (f *fixture) nested(between int, flags ...string) (first, second result) {
	f.Helper()
	proxy, err := f.servers.StartProxy()
	if err != nil {
		f.Fatal(err)
	}
	defer func() { _ = proxy.Stop() }()
	kubeconfig, err := proxy.UserKubeconfig("certsync-"+f.owner, []string{"system:masters"})
	if err != nil {
		f.Fatal(err)
	}
	writes := atomic.Int32{}
	reached, resume := make(chan struct{}), make(chan struct{})
	proxy.Intercept(func(c harness.Call) harness.Fault {
		// A write of its Lease is none of them: before the first of those it has read nothing, and would only be the later
		// of two runs.
		if writing(c) && !strings.Contains(c.Path, "/leases") && writes.Add(1) == int32(between)+1 {
			close(reached)
			<-resume
		}
		return harness.Fault{}
	})
	// One at a time, so that it waits as a whole.
	cmd := f.command(f.Context(), append(applying(0), "--max-in-flight=1")...)
	cmd.Env = append(cmd.Env, "KUBECONFIG="+kubeconfig, "VAULT_ADDR="+proxy.VaultAddr)
	finish, ended := f.start(cmd), make(chan struct{})
	go func() { // ends either before the second begins or after it has ended
		defer close(ended)
		first = finish()
	}()
	select {
	case <-reached:
	case <-ended:
	}
	second = f.certsync(append(applying(1), flags...)...)
	close(resume)
	<-ended
	return first, second
}

// nothingLost checks that what one write put into a ledger record, no other has taken out: every certificate of a
// version is in the next.
func (f *fixture) nothingLost() {
	f.Helper()
	kv := f.onlooker.KVv2("secret")
	for _, user := range f.list("ledger") {
		path := "certsync/" + f.owner + "/ledger/" + user
		meta, err := kv.GetMetadata(f.Context(), path)
		if err != nil {
			f.Fatal(err)
		}
		known := map[string]int{}
		for number := 1; number <= meta.CurrentVersion; number++ {
			secret, err := kv.GetVersion(f.Context(), path, number)
			if err != nil {
				f.Fatal(err)
			}
			there := map[string]bool{}
			list, _ := secret.Data["certificates"].([]any)
			for _, c := range list {
				fingerprint := c.(map[string]any)["sha256"].(string)
				there[fingerprint], known[fingerprint] = true, number
			}
			for fingerprint, since := range known {
				if !there[fingerprint] {
					f.Errorf("version %d of ledger/%s lacks a certificate of version %d", number, user, since)
				}
			}
		}
	}
}
