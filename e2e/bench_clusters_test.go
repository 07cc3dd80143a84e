package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/certsync/certsync/e2e/fake"
	"github.com/certsync/certsync/e2e/harness"
)

// BenchmarkPlanClusters plans for 50 clusters of one inventory, in each of which the same 500 users have all that they should
// have. The servers are fakes in this process, on the same cores. Each request to them takes 20 ms longer than it needs.
//
//	s/plan, peak-MB    of one plan for all clusters, with the process's start
//	bare-s             of the yardstick, which takes turns with plan: a program that reads two entries of Vault for each user
//	of-yardstick       s/plan by bare-s
//	cpu-s              of certsync's process alone; bare-cpu-s is the yardstick's
func BenchmarkPlanClusters(b *testing.B) {
	const clusters, users, rounds, latency = 50, 500, 3, 20 * time.Millisecond
	s := newManyClusters(b, clusters)
	s.seed(users)
	s.servers.Delay(latency)
	s.nothingToDo()
	var plans, bares []measured
	for range rounds {
		plans = append(plans, measure(b, s.command("plan"), clusters*users))
		bares = append(bares, measure(b, s.yardstick(users), clusters*users))
	}
	cpu := func(m measured) float64 { return m.cpu.Seconds() }
	b.ReportMetric(0, "ns/op") // of the whole benchmark: says nothing
	b.ReportMetric(median(plans, measured.seconds), "s/plan")
	b.ReportMetric(median(plans, measured.peakMB), "peak-MB")
	b.ReportMetric(median(bares, measured.seconds), "bare-s")
	b.ReportMetric(median(plans, measured.seconds)/median(bares, measured.seconds), "of-yardstick")
	b.ReportMetric(median(plans, cpu), "cpu-s")
	b.ReportMetric(median(bares, cpu), "bare-cpu-s")
	b.Logf("a plan for %d clusters of %d users: %.1f s, %.1f s of CPU, %.0f MB (goal: 15 s, 500 MB); the bare reads %.1f s, %.1f s of CPU",
		clusters, users, median(plans, measured.seconds), median(plans, cpu), median(plans, measured.peakMB),
		median(bares, measured.seconds), median(bares, cpu))
	if most := median(plans, measured.peakMB); most > 500 {
		b.Errorf("a plan took %.0f MB", most)
	}
}

// manyClusters is one inventory for clusters that are fakes, and a Vault for all of them.
type manyClusters struct {
	*testing.B
	servers     *fake.Servers
	binary, dir string
	names       []string // of the clusters, which are the owners too
	token       string   // for Vault
}

func newManyClusters(b *testing.B, number int) *manyClusters {
	b.Helper()
	if err := shared.Stop(); err != nil { // an idle set of servers takes its share of the machine
		b.Fatal(err)
	}
	s := &manyClusters{B: b, dir: b.TempDir()}
	var err error
	if s.binary, err = harness.BuildCertsync(b.Context(), os.Stderr, false); err != nil {
		b.Fatal(err)
	}
	if s.servers, err = fake.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.servers.Close)
	authority, err := fake.NewAuthority("fake-signer")
	if err != nil {
		b.Fatal(err)
	}
	kubeconfigs := map[string][]byte{}
	for i := range number {
		name := fmt.Sprintf("cluster-%02d", i)
		s.names = append(s.names, name)
		kubeconfigs[name] = s.servers.Open(fake.NewWorld(authority)).Kubeconfig("certsync")
	}
	vault := s.servers.Open(fake.NewWorld(authority)) // of this world, nobody asks the cluster
	s.token = vault.VaultToken()
	joinKubeconfigs(b, filepath.Join(s.dir, "kubeconfig"), kubeconfigs)
	s.write("bare.kubeconfig", string(vault.Kubeconfig("certsync")))
	return s
}

// seed gives access to users, in two clusters at once.
func (s *manyClusters) seed(users int) {
	s.Helper()
	var all strings.Builder
	all.WriteString("apiVersion: certsync.dev/v1\nkind: Inventory\nclusters:\n")
	for _, name := range s.names {
		fmt.Fprintf(&all, "- {name: %[1]s, owner: %[1]s, labels: {env: bench}}\n", name)
	}
	s.write("users.yaml", all.String()+people(users))
	began := time.Now()
	var group errgroup.Group
	group.SetLimit(2)
	for _, name := range s.names {
		group.Go(func() error {
			out, err := s.command("apply", "--yes", "--cluster="+name).CombinedOutput()
			if err != nil {
				return fmt.Errorf("%w: %.2000s", err, out)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		s.Fatal(err)
	}
	took := time.Since(began)
	s.Logf("applies for %d new users in each of %d clusters took %.0f s", users, len(s.names), took.Seconds())
}

// nothingToDo checks what plan finds.
func (s *manyClusters) nothingToDo() {
	s.Helper()
	m := measure(s.B, s.command("plan", "-o", "json", "--detailed-exitcode"), 1)
	var p struct {
		Changes  bool
		Clusters []struct{ Cluster, Digest, Error string }
	}
	if err := json.Unmarshal([]byte(m.stdout), &p); err != nil || p.Changes || len(p.Clusters) != len(s.names) {
		s.Fatalf("%v: %.2000s", err, m.stdout)
	}
}

// yardstick reads two entries of Vault for each user, for as many users at once as certsync.
func (s *manyClusters) yardstick(users int) *exec.Cmd {
	s.Helper()
	program, err := os.Executable()
	if err != nil {
		s.Fatal(err)
	}
	cmd := s.command()
	cmd.Path, cmd.Args[0] = program, program
	cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%d", bareReadsEnv, users), bareOwnersEnv+"="+strings.Join(s.names, ","),
		"KUBECONFIG="+filepath.Join(s.dir, "bare.kubeconfig"))
	return cmd
}

func (s *manyClusters) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(context.Background(), s.binary, args...)
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "TMPDIR=" + s.dir, "KUBECONFIG=" + filepath.Join(s.dir, "kubeconfig"),
		"VAULT_ADDR=" + s.servers.VaultAddress(), "VAULT_TOKEN=" + s.token}
	return cmd
}

func (s *manyClusters) write(name, text string) {
	s.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		s.Fatal(err)
	}
}
