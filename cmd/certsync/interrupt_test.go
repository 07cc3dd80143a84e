//go:build unix

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestInterrupted: Ctrl-C, and the SIGTERM of a pod that is moved, end a run in good order: the step that is under way
// ends, nothing more is begun, and the result says of every step what became of it.
func TestInterrupted(t *testing.T) {
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			asked, interrupted := make(chan struct{}), make(chan struct{})
			cluster, ca := newClusterThat(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost && r.URL.Path == csrPath {
					_, _ = io.Copy(io.Discard, r.Body) // only then does the server see the client go
					close(asked)
					select {
					case <-interrupted:
					case <-r.Context().Done():
					}
				}
				answerAsCluster(w, r)
			})
			dir := t.TempDir()
			copyFolder(t, "testdata/apply-failing", dir, map[string]string{"$CLUSTER": cluster, "$CA": ca, "$VAULT": newVault(t)})
			cmd := process(t, dir, linesOf(t, dir, "env"), []string{"apply", "--yes"})
			talk, stderr := io.Pipe()
			cmd.Stderr = stderr
			wait := start(t, cmd)
			<-asked
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			lines := make(chan string, 100)
			go func() {
				for scanner := bufio.NewScanner(talk); scanner.Scan(); {
					if lines <- scanner.Text(); strings.Contains(scanner.Text(), "interrupted; running steps have 20s to finish") {
						close(interrupted)
					}
				}
				close(lines)
			}()
			r := wait()
			stderr.Close()
			said := slices.Collect(func(yield func(string) bool) {
				for line := range lines {
					yield(line)
				}
			})
			if r.code != exitInterrupted || !slices.Contains(said, "certsync: interrupted; the next apply does the remaining steps") {
				t.Errorf("exit %d: %q", r.code, said)
			}
			for _, want := range []string{"0 steps done, 2 not done", "issue alice@example.com: failed: issuing a certificate: creating a CertificateSigningRequest: certificatesigningrequests.certificates.k8s.io is forbidden", "bind alice@example.com"} {
				if !strings.Contains(r.stdout, want) {
					t.Errorf("%q is not in: %s", want, r.stdout)
				}
			}
		})
	}
}

// TestInterruptedTwice: the first signal asks certsync to end, the second ends it, whatever it is doing: here it writes
// to somebody who doesn't read.
func TestInterruptedTwice(t *testing.T) {
	cluster, ca := newCluster(t)
	dir := t.TempDir()
	copyFolder(t, "testdata/plan", dir, map[string]string{"$CLUSTER": cluster, "$CA": ca, "$VAULT": newVault(t)})
	inventory := "apiVersion: certsync.dev/v1\nkind: Inventory\nowner: prod-eu\nusers:\n"
	for n := range 5000 { // more than a pipe holds
		inventory += fmt.Sprintf("  - {name: somebody%04d@example.com}\n", n)
	}
	if err := os.WriteFile(filepath.Join(dir, "users.yaml"), []byte(inventory), 0o600); err != nil {
		t.Fatal(err)
	}
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := process(t, dir, linesOf(t, dir, "env"), []string{"plan"})
	cmd.Stdout = in
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	interrupt := func() {
		t.Helper()
		if err := cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
	}
	interrupt()
	select {
	case <-ended:
		t.Fatalf("the first signal ended it: %s", cmd.ProcessState)
	case <-time.After(500 * time.Millisecond):
	}
	// Nothing shows that it has noticed the first. One that comes before counts as the same.
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for limit := time.After(10 * time.Second); ; {
		interrupt()
		select {
		case <-ended:
		case <-again.C:
			continue
		case <-limit:
			t.Fatal("the second signal did not end it")
		}
		break
	}
	if s := cmd.ProcessState.Sys().(syscall.WaitStatus); !s.Signaled() || s.Signal() != syscall.SIGINT {
		t.Errorf("it ended with %s", cmd.ProcessState)
	}
}

// TestReaderGone: somebody who reads only the first events (`| head`) does not stop the run, and is told at its end.
func TestReaderGone(t *testing.T) {
	cluster, ca := newCluster(t)
	dir := t.TempDir()
	copyFolder(t, "testdata/apply-failing-json", dir, map[string]string{"$CLUSTER": cluster, "$CA": ca, "$VAULT": newVault(t)})
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out.Close()
	cmd := process(t, dir, linesOf(t, dir, "env"), []string{"apply", "--yes", "-o", "json"})
	cmd.Stdout = in
	r := run(t, cmd)
	in.Close()
	if r.code != exitError || !strings.Contains(r.stderr, "[2/2] bind") || !strings.Contains(r.stderr, "writing the output: ") {
		t.Errorf("exit %d: %s", r.code, r.stderr)
	}
}

// TestReaderGoneFromPlan: who closes a plan's stdout ends the process, and leaves no token in Vault.
func TestReaderGoneFromPlan(t *testing.T) {
	for _, command := range []string{"plan", "status", "preflight"} {
		vault := &loginVault{}
		server := httptest.NewServer(vault)
		t.Cleanup(server.Close)
		cluster, ca := newCluster(t)
		dir := t.TempDir()
		copyFolder(t, "testdata/plan-login-refused", dir, map[string]string{"$CLUSTER": cluster, "$CA": ca, "$VAULT": server.URL})
		out, in, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		out.Close()
		args := append([]string{command}, linesOf(t, dir, "args")[1:]...)
		cmd := process(t, dir, linesOf(t, dir, "env"), args)
		cmd.Stdout = in
		r := run(t, cmd)
		in.Close()
		if s := cmd.ProcessState.Sys().(syscall.WaitStatus); !s.Signaled() || s.Signal() != syscall.SIGPIPE {
			t.Errorf("%s ended with %s: %s", command, cmd.ProcessState, r.stderr)
		}
		if vault.logins != 1 || vault.revoked != 1 {
			t.Errorf("%s: %d logins, %d revocations", command, vault.logins, vault.revoked)
		}
	}
}
