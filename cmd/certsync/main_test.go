package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestMain makes this test binary certsync itself when a test starts it under that variable, so that what the tests run
// is the real main, in a process of its own.
func TestMain(m *testing.M) {
	if record := os.Getenv("TEST_BINARY_RECORDS"); record != "" {
		os.Exit(recordArguments(record, os.Args[1:]))
	}
	if os.Getenv("TEST_BINARY_IS_CERTSYNC") != "" {
		main()
	}
	// Tests must not see variables of flags, or of make soak, that the caller has set.
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "CERTSYNC_") {
			_ = os.Unsetenv(name)
		}
	}
	os.Exit(m.Run())
}

// result is how a command ended.
type result struct {
	stdout, stderr string
	code           int
}

// process prepares certsync as a process that knows nothing of the machine that the test runs on.
func process(t *testing.T, dir string, env, args []string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// On a busy machine, with the race detector, a script with 18 calls takes over a minute.
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Dir = dir
	cmd.Env = append([]string{"TEST_BINARY_IS_CERTSYNC=1", "HOME=" + dir, "VAULT_MAX_RETRIES=0", "GORACE=atexit_sleep_ms=0", "GOGC=" + os.Getenv("GOGC")}, env...)
	return cmd
}

// run starts a command and waits for it.
func run(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	return start(t, cmd)()
}

func start(t *testing.T, cmd *exec.Cmd) (wait func() result) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout = &stdout
	}
	if cmd.Stderr == nil {
		cmd.Stderr = &stderr
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() result {
		t.Helper()
		if err := cmd.Wait(); err != nil && !errors.As(err, new(*exec.ExitError)) {
			t.Fatal(err)
		}
		return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
	}
}
