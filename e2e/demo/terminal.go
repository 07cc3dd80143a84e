package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/certsync/certsync/e2e/harness"
	"github.com/certsync/certsync/inventory/shell"
)

// terminal shows commands and what they print, as a session in a shell would.
type terminal struct {
	servers  *harness.Servers
	folder   string            // $DEMO
	programs map[string]string // their paths, by name
}

func newTerminal(servers *harness.Servers, certsync string) (*terminal, error) {
	t := &terminal{servers: servers, folder: filepath.Join(servers.Dir, "demo"),
		programs: map[string]string{"certsync": certsync, "kubectl": servers.KubectlPath}}
	if err := os.Mkdir(t.folder, 0o700); err != nil {
		return nil, err
	}
	t.say("KUBECONFIG, VAULT_ADDR, VAULT_TOKEN and VAULT_CACERT lead to these servers. $DEMO is a temporary folder.")
	return t, nil
}

// exports are the variables that a shell needs for the commands of the session.
func (t *terminal) exports() []string {
	// The folder of kubectl comes first: the folder of certsync may hold another version of it.
	bins := strings.Join(slices.Compact([]string{filepath.Dir(t.programs["kubectl"]), filepath.Dir(t.programs["certsync"])}), ":")
	var exports []string
	for _, variable := range append(t.servers.Env(), "DEMO="+t.folder) {
		name, value, _ := strings.Cut(variable, "=")
		exports = append(exports, name+"="+shell.Quote(value))
	}
	return append(exports, "PATH="+shell.Quote(bins)+`:"$PATH"`)
}

func (t *terminal) say(format string, args ...any) {
	fmt.Printf("\n# "+format+"\n", args...)
}

// want is the expected result of a command. The zero value means success.
type want struct {
	code int
	says string
}

type command struct {
	line string
	want want
}

func (t *terminal) all(ctx context.Context, commands []command) error {
	for _, c := range commands {
		if err := t.run(ctx, c.line, c.want); err != nil {
			return err
		}
	}
	return nil
}

// certsync checks, plans and applies an inventory, and shows that a second plan has no changes.
func (t *terminal) certsync(ctx context.Context, file string) error {
	return t.all(ctx, []command{
		{line: "certsync validate -f " + file},
		{line: "certsync plan -f " + file},
		{line: "certsync apply --yes -f " + file},
		{line: "certsync plan --detailed-exitcode -f " + file}, // it exits with 2 if there are changes
		{line: "certsync apply --yes -f " + file},
	})
}

// run runs a line, see command.
func (t *terminal) run(ctx context.Context, line string, want want) error {
	fmt.Printf("\n$ %s\n", line)
	cmd := t.command(ctx, line)
	// certsync finishes its steps after a signal. After WaitDelay it is killed.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr // unchanged, because certsync uses colours on a terminal
	if want.says != "" {
		cmd.Stdout = io.MultiWriter(os.Stdout, &output)
		cmd.Stderr = cmd.Stdout
	}
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return fmt.Errorf("running %q: %w", line, err)
	}
	if code := cmd.ProcessState.ExitCode(); code != want.code {
		return fmt.Errorf("running %q: exit code %d, expected %d", line, code, want.code)
	}
	if !strings.Contains(output.String(), want.says) {
		return fmt.Errorf("running %q: expected it to say %q", line, want.says)
	}
	return nil
}

func (t *terminal) expand(text string) string {
	return strings.ReplaceAll(text, "$DEMO", t.folder)
}
