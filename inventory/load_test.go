//go:build unix

package inventory

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// folder returns a new folder outside/inside/ with ca.crt in both and an inventory inside that names authority.
func folder(t *testing.T, authority string) (inside string) {
	t.Helper()
	inside = filepath.Join(t.TempDir(), "inside")
	write(t, filepath.Join(inside, "users.yaml"), header+"cluster: {certificateAuthority: '"+authority+"'}\nusers: []\n")
	write(t, filepath.Join(inside, "ca.crt"), string(certificate(t)))
	write(t, filepath.Join(filepath.Dir(inside), "ca.crt"), string(certificate(t)))
	return inside
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

func TestLoadReadsFilesOfItsFolder(t *testing.T) {
	for sentence, c := range map[string]struct {
		authority string
		prepare   func(t *testing.T, inside string)
	}{
		"a file beside it":     {"ca.crt", func(*testing.T, string) {}},
		"a link in the folder": {"link.crt", func(t *testing.T, inside string) { link(t, "ca.crt", filepath.Join(inside, "link.crt")) }},
		"a file in a subfolder": {"pki/ca.crt", func(t *testing.T, inside string) {
			write(t, filepath.Join(inside, "pki/ca.crt"), string(certificate(t)))
		}},
		"a mounted ConfigMap": {"mounted.crt", func(t *testing.T, inside string) {
			write(t, filepath.Join(inside, "..2026_01_01/mounted.crt"), string(certificate(t)))
			link(t, "..2026_01_01", filepath.Join(inside, "..data"))
			link(t, "..data/mounted.crt", filepath.Join(inside, "mounted.crt"))
		}},
	} {
		t.Run(sentence, func(t *testing.T) {
			inside := folder(t, c.authority)
			c.prepare(t, inside)
			inv, err := Load(filepath.Join(inside, "users.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(certificate(t)), string(inv.Cluster.CertificateAuthority)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLoadFindsTheFolderOfARelativePath(t *testing.T) {
	t.Chdir(folder(t, "ca.crt"))
	if _, err := Load("users.yaml"); err != nil {
		t.Error(err)
	}
}

func TestLoadRefusesFiles(t *testing.T) {
	for sentence, c := range map[string]struct {
		authority string
		prepare   func(t *testing.T, inside string)
		want      string
	}{
		"that are not there":       {"none.crt", func(*testing.T, string) {}, `file "none.crt" cannot be read: no such file or directory`},
		"with an absolute path":    {"/etc/ca.crt", func(*testing.T, string) {}, `file "/etc/ca.crt" is outside of the inventory's folder`},
		"in the folder above":      {"../ca.crt", func(*testing.T, string) {}, `file "../ca.crt" is outside of the inventory's folder`},
		"above by a detour":        {"x/../../ca.crt", func(*testing.T, string) {}, `file "x/../../ca.crt" is outside of the inventory's folder`},
		"that are the folder":      {".", func(*testing.T, string) {}, `file "." is not a regular file`},
		"that a link leads out to": {"link.crt", func(t *testing.T, inside string) { link(t, "../ca.crt", filepath.Join(inside, "link.crt")) }, `file "link.crt" cannot be read: path escapes from parent`},
		"in a folder outside that a link leads to": {"up/ca.crt", func(t *testing.T, inside string) { link(t, "..", filepath.Join(inside, "up")) },
			`file "up/ca.crt" cannot be read: path escapes from parent`},
		"that are pipes": {"pipe", func(t *testing.T, inside string) {
			if err := syscall.Mkfifo(filepath.Join(inside, "pipe"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, `file "pipe" is not a regular file`},
		"that hold a key": {"tls.key", func(t *testing.T, inside string) { write(t, filepath.Join(inside, "tls.key"), string(privateKey(t))) },
			`file "tls.key" holds a private key, which does not belong in a repository: take it out, and make a new one`},
	} {
		t.Run(sentence, func(t *testing.T) {
			inside := folder(t, c.authority)
			c.prepare(t, inside)
			path := filepath.Join(inside, "users.yaml")
			_, err := Load(path)
			want := path + ":4:33: cluster.certificateAuthority: " + c.want
			if err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

func TestLoadFails(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "large.yaml", strings.Repeat("#", maxSize+1))
	for sentence, c := range map[string]struct{ path, want string }{
		"without a file":       {"none.yaml", `loading inventory: open none.yaml: no such file or directory`},
		"for a folder":         {".", `loading inventory: read .: is a directory`},
		"for too large a file": {"large.yaml", `loading inventory: "large.yaml" is larger than 8 MiB`},
		"for standard input":   {"-", `loading inventory: standard input is not supported: name a file`},
	} {
		t.Run(sentence, func(t *testing.T) {
			_, err := Load(c.path)
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// TestLoadFilesCanBeLoadedElsewhere: what LoadFiles returns is all that Load needs in another folder.
func TestLoadFilesCanBeLoadedElsewhere(t *testing.T) {
	inside := folder(t, "./pki//ca.crt")
	write(t, filepath.Join(inside, "pki/ca.crt"), string(certificate(t)))
	loadsElsewhere(t, inside, "pki/ca.crt")
}

// loadsElsewhere loads an inventory in the folder inside, which names one file, and again where nothing is but what
// LoadFiles returned.
func loadsElsewhere(t *testing.T, inside, named string) {
	t.Helper()
	want, files, err := LoadFiles(filepath.Join(inside, "users.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 2 || files["users.yaml"] == nil || files[named] == nil {
		t.Errorf("%d files", len(files))
	}
	elsewhere := t.TempDir()
	for path, data := range files {
		write(t, filepath.Join(elsewhere, path), string(data))
	}
	got, err := Load(filepath.Join(elsewhere, "users.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" || want.Digest() != got.Digest() {
		t.Error(diff)
	}
}

// TestClusterRoles has each once, wherever it is granted and whether its time has passed or not.
func TestClusterRoles(t *testing.T) {
	inv, err := Parse("users.yaml", []byte(header+`groups: [{name: devs, clusterRoles: [view, d], namespaces: {a: [edit], b: [edit, c]}}]
users: [{name: bob, clusterRoles: [{name: b, until: 2001-01-01}], namespaces: {a: [view, a]}}]
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "d", "edit", "view"}, inv.ClusterRoles()); diff != "" {
		t.Error(diff)
	}
}
