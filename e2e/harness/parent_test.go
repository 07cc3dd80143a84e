package harness_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/certsync/certsync/e2e/harness"
)

const parentEnv = "CERTSYNC_HARNESS_TEST_PARENT"

// runParent is what this test binary does as the parent that gets killed: it starts a set of servers
// from the binary named in the environment, prints their process ids, and waits.
func runParent() {
	s, err := harness.Start(context.Background(), os.Getenv(parentEnv), harness.Options{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(s.PID(harness.Etcd), s.PID(harness.APIServer), s.PID(harness.ControllerManager), s.PID(harness.Vault))
	time.Sleep(time.Minute)
}

func TestServersEndWithAParentThatIsKilled(t *testing.T) {
	parent := exec.CommandContext(t.Context(), os.Args[0])
	// Where it leaves its folder, since it has no chance to remove it.
	parent.Env = append(os.Environ(), parentEnv+"="+binary, "TMPDIR="+t.TempDir())
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	pids := strings.Fields(line)
	if len(pids) != 4 {
		t.Fatalf("the parent printed %q", line)
	}
	if got := running(pids); got != 4 {
		t.Fatalf("%d of the processes %v run, want all", got, pids)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	began := time.Now()
	for running(pids) > 0 {
		if time.Since(began) > 10*time.Second {
			t.Fatalf("%d of the processes %v still run", running(pids), pids)
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Logf("all gone after %s", time.Since(began))
}

// running counts the processes that exist. On Linux it leaves out zombies, which wait for whoever adopted them.
func running(pids []string) int {
	count := 0
	for _, pid := range pids {
		number, err := strconv.Atoi(pid)
		if err != nil || syscall.Kill(number, 0) != nil {
			continue
		}
		// The state stands behind the name, which is in parentheses and may hold anything.
		stat, _ := os.ReadFile("/proc/" + pid + "/stat")
		if state := string(stat[bytes.LastIndexByte(stat, ')')+1:]); !strings.HasPrefix(state, " Z") {
			count++
		}
	}
	return count
}
