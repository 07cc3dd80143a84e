//go:build unix

package kubeconfig

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory/files"
	"github.com/certsync/certsync/reconcile"
)

// TestMergeKeepsOwner: after sudo, the file and its backup belong to the user to whom the file belonged. Without root, nobody
// can give a file away, and the merge works all the same.
func TestMergeKeepsOwner(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("config", []byte(others), 0o644); err != nil {
		t.Fatal(err)
	}
	uid, gid := os.Geteuid(), os.Getegid()
	if uid == 0 {
		if uid, gid = 12345, 54321; os.Chown("config", uid, gid) != nil {
			t.Fatal("root cannot give a file away")
		}
	}
	if _, err := Merge(t.Context(), "config", "", reconcile.NewSecret([]byte(realKubeconfig))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"config", "config.certsync.bak"} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if has := info.Sys().(*syscall.Stat_t); int(has.Uid) != uid || int(has.Gid) != gid || info.Mode() != 0o600 {
			t.Errorf("%s belongs to %d:%d, mode %s", name, has.Uid, has.Gid, info.Mode())
		}
	}
}

// TestMergeWithoutModes: no key is written to a file system that keeps no permissions, not even beside the file. An entry with
// the plugin holds no key, and is written.
func TestMergeWithoutModes(t *testing.T) {
	merge := func(kubeconfig reconcile.Secret) error {
		all, err := mergeAll(t.Context(), "config", "", []reconcile.Secret{kubeconfig}, func(string) error { return files.ErrNoModes })
		if err == nil {
			err = all[0].Err
		}
		return err
	}
	t.Chdir(t.TempDir())
	if err := os.WriteFile("config", []byte(others), 0o644); err != nil {
		t.Fatal(err)
	}
	err := merge(reconcile.NewSecret([]byte(realKubeconfig)))
	if err == nil || !strings.HasSuffix(err.Error(), "it would hold your key, and its file system keeps no permissions") || !strings.Contains(reconcile.Hint(err), "use --exec") {
		t.Errorf("%v, hint %q", err, reconcile.Hint(err))
	}
	if diff := cmp.Diff([]string{"-rw-r--r-- config"}, here(t)); diff != "" || textOf(t, "config") != others {
		t.Errorf("something was written: %s", diff)
	}
	plugged, err := WithPlugin(reconcile.NewSecret([]byte(realKubeconfig)), Plugin{Command: "certsync"})
	if err != nil {
		t.Fatal(err)
	}
	if err := merge(plugged); err != nil || !strings.Contains(textOf(t, "config"), "command: certsync") {
		t.Error(err)
	}
}
