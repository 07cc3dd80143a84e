//go:build unix

package inventory

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory/files"
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
			`file "tls.key" holds a private key, which does not belong in a repository: remove it, and make a new key`},
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

// TestLoadOfALinkedInventory: an inventory that is a link may lead to another file in its folder, as it does in a
// mounted ConfigMap, and not to somebody's secret elsewhere. Nothing is waited for.
func TestLoadOfALinkedInventory(t *testing.T) {
	const secret = "https://robot:hunter2@git.example.com"
	for sentence, c := range map[string]struct {
		prepare func(t *testing.T, inside string)
		want    string // "" for none; PATH is the inventory
	}{
		"another file in the folder": {func(t *testing.T, inside string) {
			write(t, filepath.Join(inside, "prod/users.yaml"), header+"users: []")
			link(t, "prod/users.yaml", filepath.Join(inside, "users.yaml"))
		}, ""},
		"a mounted ConfigMap": {func(t *testing.T, inside string) {
			write(t, filepath.Join(inside, "..2026_01_01/users.yaml"), header+"users: []")
			link(t, "..2026_01_01", filepath.Join(inside, "..data"))
			link(t, "..data/users.yaml", filepath.Join(inside, "users.yaml"))
		}, ""},
		"a file outside": {func(t *testing.T, inside string) {
			write(t, filepath.Join(inside, "../token"), secret)
			link(t, "../token", filepath.Join(inside, "users.yaml"))
		}, `loading inventory: "PATH" is a link that leads out of its folder: name the file itself`},
		"a file outside by its whole path": {func(t *testing.T, inside string) {
			write(t, filepath.Join(inside, "../token"), secret)
			link(t, filepath.Join(filepath.Dir(inside), "token"), filepath.Join(inside, "users.yaml"))
		}, `loading inventory: "PATH" is a link that leads out of its folder: name the file itself`},
		"an inventory outside": {func(t *testing.T, inside string) {
			write(t, filepath.Join(inside, "../x.yaml"), header+"users: []")
			link(t, "../x.yaml", filepath.Join(inside, "users.yaml"))
		}, `loading inventory: "PATH" is a link that leads out of its folder: name the file itself`},
		"a token in the folder": {func(t *testing.T, inside string) {
			write(t, filepath.Join(inside, ".git-credentials"), secret)
			link(t, ".git-credentials", filepath.Join(inside, "users.yaml"))
		}, `PATH:1:1: this is not an inventory: write apiVersion: certsync.dev/v1 and kind: Inventory`},
		"a file of settings in the folder": {func(t *testing.T, inside string) {
			write(t, filepath.Join(inside, "settings.yaml"), "hunter2: hunter2\nowner: hunter2\nkind: hunter2\nusers: [hunter2]\n")
			link(t, "settings.yaml", filepath.Join(inside, "users.yaml"))
		}, `PATH:1:1: this is not an inventory: write apiVersion: certsync.dev/v1 and kind: Inventory`},
		"an endless device": {func(t *testing.T, inside string) { link(t, "/dev/zero", filepath.Join(inside, "users.yaml")) },
			`loading inventory: "PATH" is a link that leads out of its folder: name the file itself`},
		"standard input": {func(t *testing.T, inside string) { link(t, "/dev/stdin", filepath.Join(inside, "users.yaml")) },
			`loading inventory: "PATH" is a link that leads out of its folder: name the file itself`},
		"nothing": {func(t *testing.T, inside string) { link(t, "none", filepath.Join(inside, "users.yaml")) },
			`loading inventory: open PATH: no such file or directory`},
		"a pipe": {func(t *testing.T, inside string) {
			if err := syscall.Mkfifo(filepath.Join(inside, "users.yaml"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, `loading inventory: open PATH: not a regular file`},
		"a folder": {func(t *testing.T, inside string) { write(t, filepath.Join(inside, "users.yaml/x"), secret) },
			`loading inventory: open PATH: not a regular file`},
	} {
		t.Run(sentence, func(t *testing.T) {
			inside := filepath.Join(t.TempDir(), "inside")
			if err := os.Mkdir(inside, 0o755); err != nil {
				t.Fatal(err)
			}
			c.prepare(t, inside)
			path := filepath.Join(inside, "users.yaml")
			got := ""
			if _, err := Load(path); err != nil {
				got = strings.ReplaceAll(err.Error(), path, "PATH")
			}
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if strings.Contains(got, "hunter2") {
				t.Error(got)
			}
		})
	}
}

// TestLoadFromAPipe: the folder of an inventory is no pipe, which nobody may ever write to.
func TestLoadFromAPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Load(filepath.Join(pipe, "users.yaml"))
	if want := "loading inventory: open " + pipe + "/users.yaml: not a directory"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// TestConfinedNeverWaits: neither does what stands in the folder in place of a file that was regular a moment ago.
func TestConfinedNeverWaits(t *testing.T) {
	inside := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(inside, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	folder, err := files.OpenFolder(filepath.Join(inside, "users.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	file, err := folder.Open("pipe")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := files.ReadOpened(file, "pipe", maxFile); !errors.Is(err, files.ErrNotRegular) {
		t.Error(err)
	}
}

func TestLoadFails(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "large.yaml", strings.Repeat("#", maxSize+1))
	for sentence, c := range map[string]struct{ path, want string }{
		"without a file":       {"none.yaml", `loading inventory: open none.yaml: no such file or directory`},
		"for a folder":         {".", `loading inventory: open .: not a regular file`},
		"for too large a file": {"large.yaml", `loading inventory: read large.yaml: larger than 8 MiB: move some users to an inventory with another owner`},
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
	file, files, err := LoadFiles(filepath.Join(inside, "users.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := file.Only()
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
