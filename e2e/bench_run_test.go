package e2e

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/certsync/certsync/e2e/harness"
)

// bench is a benchmark with servers of its own.
type bench struct {
	*testing.B
	servers *harness.Servers
	binary  string // certsync as it is released: the tests' own has the race detector in it
}

func newBench(b *testing.B, controllerManagerArgs ...string) *bench {
	b.Helper()
	binary, err := harness.BuildCertsync(b.Context(), os.Stderr, false)
	if err != nil {
		b.Fatal(err)
	}
	// Benchmarks run after all tests, and an idle set of servers takes its share of the machine.
	if err := shared.Stop(); err != nil {
		b.Fatal(err)
	}
	return &bench{B: b, binary: binary, servers: ownServers(b, harness.Options{
		VaultInMemory: true, ControllerManagerArgs: controllerManagerArgs,
	})}
}

// named is a test under another name, as of a round of a benchmark: fixtures are called after their test.
type named struct {
	testing.TB
	name string
}

func (n named) Name() string { return n.name }

// owner makes an owner and an identity, which tells its requests from all others in the audit log.
func (s *bench) owner(name string) *fixture {
	s.Helper()
	return newFixture(named{s.B, name}, s.servers)
}

// command is a command line of program, with what certsync finds in its environment.
func (s *bench) command(f *fixture, program string, args ...string) *exec.Cmd {
	cmd := f.command(context.Background(), args...)
	cmd.Path, cmd.Args[0] = program, program
	return cmd
}

// bare measures the yardstick of apply.
func (s *bench) bare(owner string, users int) measured {
	s.Helper()
	f := s.owner(owner)
	defer s.clear(f)
	m := s.yardstick(f, bareUsersEnv, users)
	if m.kubeWrites != 3*users || m.vault != 2*users {
		s.Errorf("the yardstick sent %d writes to Kubernetes and %d to Vault for %d users", m.kubeWrites, m.vault, users)
	}
	return m
}

// bareReads measures the yardstick of plan, for the users of f.
func (s *bench) bareReads(f *fixture, users int) measured {
	s.Helper()
	m := s.yardstick(f, bareReadsEnv, users)
	if m.vault != 2*users || m.kubeOther > 0 {
		s.Errorf("the yardstick sent %d requests to Vault and %d to Kubernetes for %d users", m.vault, m.kubeOther, users)
	}
	return m
}

func (s *bench) yardstick(f *fixture, mode string, users int) measured {
	s.Helper()
	program, err := os.Executable()
	if err != nil {
		s.Fatal(err)
	}
	cmd := s.command(f, program)
	cmd.Env = append(cmd.Env, fmt.Sprintf("%s=%d", mode, users), bareOwnersEnv+"="+f.owner)
	return s.run(f, cmd, users)
}

// measured is what one process took.
type measured struct {
	users     int
	wall, cpu time.Duration
	servers   time.Duration // CPU of all servers meanwhile; 0 where there is no /proc
	peak      int64         // bytes of memory; 0 where there is no /proc
	issuing   float64       // certificates a second

	kubeWrites, kubeOther, vaultWrites, vault int
	stdout                                    string
}

func (m measured) seconds() float64      { return m.wall.Seconds() }
func (m measured) perSecond() float64    { return float64(m.users) / m.wall.Seconds() }
func (m measured) perUser(n int) float64 { return float64(n) / float64(m.users) }
func (m measured) peakMB() float64       { return float64(m.peak) / 1e6 }
func (m measured) cpuPerUser() float64   { return m.cpu.Seconds() * 1000 / float64(m.users) }
func (m measured) allCPU() float64       { return (m.cpu + m.servers).Seconds() * 1000 / float64(m.users) }

// median of an even number is the mean of the middle two.
func median(list []measured, of func(measured) float64) float64 {
	values := make([]float64, len(list))
	for i, m := range list {
		values[i] = of(m)
	}
	slices.Sort(values)
	return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
}

// run runs a process, which must succeed, and counts what it asked of the servers as f's identity.
func (s *bench) run(f *fixture, cmd *exec.Cmd, users int) measured {
	s.Helper()
	kube, vault := f.size(s.servers.KubeAuditLog), f.size(s.servers.VaultAuditLog)
	idle := s.serversCPU()
	m := measure(s.B, cmd, users)
	m.servers = s.serversCPU() - idle
	for _, r := range f.kubeRequests(kube) {
		if r.isReview() || slices.Contains([]string{"get", "list", "watch"}, r.Verb) {
			m.kubeOther++
		} else {
			m.kubeWrites++
		}
	}
	for _, r := range f.vaultRequests(vault) {
		m.vault++
		if strings.Contains(r.Request.Path, "/data/") && r.Request.Operation != "read" && !strings.HasSuffix(r.Request.Path, "/state") {
			m.vaultWrites++
		}
	}
	return m
}

// measure runs a process, which must succeed.
func measure(b *testing.B, cmd *exec.Cmd, users int) measured {
	b.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	began := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	peak := watchMemory(cmd.Process.Pid)
	err := cmd.Wait()
	m := measured{
		users: users, wall: time.Since(began), peak: peak(),
		cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), stdout: stdout.String(),
	}
	if err != nil {
		b.Fatalf("%s: %v\n%.2000s\n%.2000s", cmd, err, stdout.String(), stderr.String())
	}
	return m
}

// serversCPU is how long the servers have had a core since they started.
func (s *bench) serversCPU() (sum time.Duration) {
	for _, name := range []string{harness.Etcd, harness.APIServer, harness.ControllerManager, harness.Vault} {
		content, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.servers.PID(name)))
		_, after, _ := strings.Cut(string(content), ") ") // of the program's name
		if fields := strings.Fields(after); len(fields) > 12 {
			for _, ticks := range fields[11:13] { // utime and stime
				n, _ := strconv.Atoi(ticks)
				sum += time.Duration(n) * 10 * time.Millisecond
			}
		}
	}
	return sum
}

// watchMemory follows the peak of a process's resident memory until the returned function is called. What wait4 says of
// it won't do: on Linux a process begins with the peak of the one that started it.
func watchMemory(pid int) (peak func() int64) {
	done, last := make(chan struct{}), make(chan int64)
	go func() {
		var most int64
		for {
			if content, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)); err == nil {
				var kB int64
				if _, line, ok := strings.Cut(string(content), "VmHWM:"); ok {
					_, _ = fmt.Sscan(line, &kB)
				}
				most = max(most, kB*1024)
			}
			select {
			case <-done:
				last <- most
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	}()
	return func() int64 { close(done); return <-last }
}

// issuingRate is how many certificates a second came after the first, by the times of apply's events.
func issuingRate(f *fixture, events string) float64 {
	f.Helper()
	var first, last time.Time
	n := 0
	for line := range strings.Lines(events) {
		var e struct {
			Time           time.Time
			Action, Result string
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			f.Fatal(err)
		}
		if e.Action != "issue" || e.Result != "done" {
			continue
		}
		n++
		last = e.Time
		if n == 1 {
			first = e.Time
		}
	}
	return float64(n-1) / last.Sub(first).Seconds()
}

// clear deletes an owner's bindings, and all requests: the API server walks all bindings on every request, and whoever came
// last would pay for those before.
func (s *bench) clear(f *fixture) {
	s.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", f.kubeconfig)
	if err != nil {
		s.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		s.Fatal(err)
	}
	mine := metav1.ListOptions{LabelSelector: ownerLabel + "=" + f.owner}
	requests := metav1.ListOptions{FieldSelector: "spec.signerName=" + certificatesv1.KubeAPIServerClientSignerName}
	ctx := context.Background()
	if err := cmp.Or(
		client.RbacV1().ClusterRoleBindings().DeleteCollection(ctx, metav1.DeleteOptions{}, mine),
		client.CertificatesV1().CertificateSigningRequests().DeleteCollection(ctx, metav1.DeleteOptions{}, requests),
	); err != nil {
		s.Fatal(err)
	}
}
