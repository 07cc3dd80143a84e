package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
)

// TestMergeIntoAMount: a kubeconfig that is mounted alone, as into a container, cannot be replaced. It is written in its place,
// and what stood there before is beside it.
func TestMergeIntoAMount(t *testing.T) {
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "mine")
	const old = "apiVersion: v1\nkind: Config\n"
	fixture.WriteFile(t, outside, []byte(old+strings.Repeat("# mine\n", 1000)), 0o644)
	fixture.WriteFile(t, filepath.Join(dir, "config"), nil, 0o600)
	before, err := os.Stat(outside)
	if err != nil {
		t.Fatal(err)
	}
	cmd := merging(t, dir)
	cmd.Args = append([]string{"sh", "-c", `mount --bind "$1" config && shift && exec "$0" "$@"`, cmd.Path, outside}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	if r := run(t, cmd); r.code != exitOK || !strings.Contains(r.stdout, "Merged context prod-eu into config.\nThe old file is kept as config.certsync.bak.\n") {
		t.Errorf("exit %d, %s%s", r.code, r.stdout, r.stderr)
	}
	after, err := os.Stat(outside)
	if err != nil || !os.SameFile(before, after) || after.Mode() != 0o600 {
		t.Errorf("%v, %v", after, err)
	}
	text, err := os.ReadFile(outside)
	if err != nil || !strings.Contains(string(text), "client-key-data") || !strings.Contains(string(text), "# mine\n") {
		t.Errorf("%s, %v", text, err)
	}
	if kept, err := os.ReadFile(filepath.Join(dir, "config.certsync.bak")); err != nil || !strings.HasPrefix(string(kept), old) {
		t.Errorf("the backup: %s, %v", kept, err)
	}
}
