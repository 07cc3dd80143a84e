package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/certsync/certsync/cmd/certsync/internal/invocation"
)

// TestPluginHelp: as a plugin, usage, examples and hints about the command line name kubectl certsync.
func TestPluginHelp(t *testing.T) {
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	plugin := filepath.Join(dir, "kubectl-certsync")
	if err := os.Symlink(self, plugin); err != nil {
		t.Fatal(err)
	}
	bare := regexp.MustCompile(`(?m)^ {4,}certsync `)
	for command := range commands(t) {
		cmd := process(t, dir, nil, []string{command, "--help"})
		cmd.Path, cmd.Args[0] = plugin, plugin
		r := run(t, cmd)
		if r.code != exitOK || !strings.HasPrefix(r.stdout, "Usage: kubectl certsync "+command) || bare.MatchString(r.stdout) {
			t.Errorf("exit %d: %s", r.code, r.stdout)
		}
	}
	for command := range commands(t) {
		if got, want := invocation.Called("run certsync "+command+" first", "kubectl certsync"), "run kubectl certsync "+command+" first"; got != want {
			t.Errorf("a hint says %q, want %q", got, want)
		}
	}
	for argument, want := range map[string]string{"add": "add the user to users.yaml, then run kubectl certsync apply", "none": "run kubectl certsync --help for the list of commands", "plan": "run kubectl certsync plan --help for the list of flags"} {
		cmd := process(t, dir, nil, []string{argument, "--none"})
		cmd.Path, cmd.Args[0] = plugin, plugin
		if r := run(t, cmd); r.code != exitUsage || !strings.Contains(r.stderr, "hint: "+want) {
			t.Errorf("exit %d: %s", r.code, r.stderr)
		}
	}
}
