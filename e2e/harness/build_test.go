package harness

import (
	"os"
	"path/filepath"
	"testing"
)

// TestRemoveLink: a build does not write kubectl through a link to the servers; what is no link stays.
func TestRemoveLink(t *testing.T) {
	dir := t.TempDir()
	link, file := filepath.Join(dir, "kubectl"), filepath.Join(dir, "servers")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("servers", link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{link, file, filepath.Join(dir, "absent")} {
		if err := removeLink(path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := os.Lstat(link); err == nil {
		t.Error("the link is still there")
	}
	if _, err := os.Lstat(file); err != nil {
		t.Error(err)
	}
}
