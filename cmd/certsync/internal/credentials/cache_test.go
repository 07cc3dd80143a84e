//go:build linux

// On other systems $XDG_CACHE_HOME does not say where the cache folder is.

package credentials

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/cmd/certsync/internal/fixture"
	"github.com/certsync/certsync/inventory/files"
	"github.com/certsync/certsync/reconcile"
)

// newCache opens a cache in a new folder, and returns the path of the folder.
func newCache(t *testing.T) (c *Cache, folder string) {
	t.Helper()
	caches := filepath.Join(t.TempDir(), "caches")
	setCaches(t, caches)
	c, err := OpenCache("somewhere")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, filepath.Join(caches, "certsync")
}

// setCaches makes path the folder that os.UserCacheDir returns.
func setCaches(t *testing.T, path string) {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", path)
	if dir, err := os.UserCacheDir(); err != nil || dir != path {
		t.Fatalf("the cache folder is %q, %v", dir, err)
	}
}

func textOf(h *entry) []string {
	if h == nil {
		return nil
	}
	return []string{string(h.Certificate), string(h.Key.Reveal()), h.until.UTC().String(), h.fetchedAt.UTC().String(), h.failedAt.UTC().String()}
}

// TestCacheWithoutModes: on a file system that keeps no permissions nothing is kept, and the error says so.
func TestCacheWithoutModes(t *testing.T) {
	c, folder := newCache(t)
	noModes := func(fs.FileInfo) bool { return false }
	c.isPrivate = noModes
	if err := c.write(&entry{Credential: fixture.Credential("alice", fixture.Noon)}); !errors.Is(err, files.ErrNoModes) {
		t.Errorf("writing: %v", err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if c, err := openCache("somewhere", noModes); c != nil || !errors.Is(err, files.ErrNoModes) || !strings.Contains(reconcile.Hint(notKept(err)), "certsync works without a cache") {
		t.Errorf("opening: %v", err)
	}
}

// TestCacheKeeps: the cache returns what was written, nobody else can read it, and each place in Vault has a file of its own.
func TestCacheKeeps(t *testing.T) {
	c, folder := newCache(t)
	first := &entry{Credential: fixture.Credential("alice", fixture.Noon), version: 3, until: fixture.Noon, fetchedAt: fixture.Noon.Add(-time.Hour), failedAt: fixture.Noon.Add(-time.Minute)}
	keyless := &entry{Credential: fixture.Credential("alice", fixture.Noon), version: 4, until: fixture.Noon, fetchedAt: fixture.Noon.Add(-time.Minute)}
	keyless.Key = reconcile.Secret{}
	for _, want := range []*entry{first, keyless} {
		if err := c.write(want); err != nil {
			t.Fatal(err)
		}
		got := c.read("alice")
		if diff := cmp.Diff(textOf(want), textOf(got)); diff != "" || got.version != want.version {
			t.Errorf("version %d: %s", want.version, diff)
		}
	}
	if text, err := os.ReadFile(filepath.Join(folder, c.name)); err != nil || strings.Contains(string(text), "PRIVATE KEY") {
		t.Errorf("the first key is still there, %v", err)
	}
	for _, path := range []string{folder, filepath.Join(folder, c.name)} {
		info, err := os.Stat(path)
		if err != nil || info.Mode()&0o077 != 0 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	if files, _ := os.ReadDir(folder); len(files) != 1 {
		t.Errorf("left behind: %v", files)
	}
	other, err := OpenCache("somewhere else")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if other.read("alice") != nil || c.read("bob") != nil {
		t.Error("a credential is another place's, or another user's")
	}
	// The temporary files of two killed plugins, and one of another place.
	elsewhere := other.name + ".0123456789abcdef"
	for _, name := range []string{c.name + ".0123456789abcdef", c.name + ".fedcba9876543210", elsewhere} {
		fixture.WriteFile(t, filepath.Join(folder, name), []byte("half a key"), 0o600)
	}
	if err := c.remove(); err != nil || c.read("alice") != nil {
		t.Errorf("still there, %v", err)
	}
	if err := c.remove(); err != nil {
		t.Errorf("nothing to remove: %v", err)
	}
	if files, err := os.ReadDir(folder); err != nil || len(files) != 1 || files[0].Name() != elsewhere {
		t.Errorf("left: %v, %v", files, err)
	}
}

// rewritten replaces text in the file.
func rewritten(oldNew ...string) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		changed := strings.NewReplacer(oldNew...).Replace(string(text))
		if changed == string(text) {
			t.Fatalf("nothing to replace in %s", text)
		}
		fixture.WriteFile(t, path, []byte(changed), 0o600)
	}
}

// copied copies a file.
func copied(t *testing.T, from, to string) {
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	fixture.WriteFile(t, to, text, 0o600)
}

// cacheAttacks are changes of the cache file at path, by others or by accident.
func cacheAttacks() map[string]func(t *testing.T, path string) {
	attacks := map[string]func(t *testing.T, path string){
		"the group can read it": func(_ *testing.T, path string) { _ = os.Chmod(path, 0o640) },
		"others can read it":    func(_ *testing.T, path string) { _ = os.Chmod(path, 0o604) },
		"a link in the folder": func(t *testing.T, path string) {
			copied(t, path, path+".other")
			_ = os.Remove(path)
			_ = os.Symlink(filepath.Base(path)+".other", path)
		},
		"a link out of it": func(t *testing.T, path string) {
			elsewhere := filepath.Join(t.TempDir(), "elsewhere")
			copied(t, path, elsewhere)
			_ = os.Remove(path)
			_ = os.Symlink(elsewhere, path)
		},
		"a pipe": func(_ *testing.T, path string) {
			_ = os.Remove(path)
			_ = syscall.Mkfifo(path, 0o600)
		},
		"half of it": func(t *testing.T, path string) {
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			_ = os.Truncate(path, info.Size()/2)
		},
		"nothing":  func(_ *testing.T, path string) { _ = os.Truncate(path, 0) },
		"too much": func(_ *testing.T, path string) { _ = os.Truncate(path, maxCacheFile+1) },
		"too many spaces": func(t *testing.T, path string) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			fixture.WriteFile(t, path, append(text, strings.Repeat(" ", maxCacheFile)...), 0o600)
		},
		"more than one":           rewritten("}", "}{}"),
		"another format":          rewritten(`"formatVersion":"1"`, `"formatVersion":"2"`),
		"no certificate":          rewritten("CERTIFICATE", "PUBLIC KEY"),
		"no key":                  rewritten("BEGIN EC PRIVATE KEY", "BEGIN NOTHING"),
		"another one's key":       swapped(func(o, other *entry) { o.Key = other.Key }),
		"another one's whole":     swapped(func(o, other *entry) { *o = *other }),
		"another one's in public": swapped(func(o, other *entry) { o.Certificate = other.Certificate }),
	}
	if os.Geteuid() == 0 { // only root can give files away
		attacks["somebody else's"] = func(_ *testing.T, path string) { _ = os.Chown(path, 12345, -1) }
	}
	return attacks
}

// TestCacheAttacks: a file that certsync did not leave so is not used, links are not followed, and the next write replaces it.
func TestCacheAttacks(t *testing.T) {
	for name, attack := range cacheAttacks() {
		t.Run(name, func(t *testing.T) {
			c, folder := newCache(t)
			h := &entry{Credential: fixture.Credential("alice", fixture.Noon), version: 1, fetchedAt: fixture.Noon}
			if err := c.write(h); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(folder, c.name)
			attack(t, path)
			planted, _ := os.Readlink(path)
			before, _ := os.ReadFile(planted)
			if got := c.read("alice"); got != nil {
				t.Errorf("used: version %d", got.version)
			}
			if err := c.write(h); err != nil {
				t.Fatal(err)
			}
			info, err := os.Lstat(path)
			if err != nil || info.Mode() != 0o600 || c.read("alice") == nil {
				t.Errorf("not replaced: %v, %v", info.Mode(), err)
			}
			if after, _ := os.ReadFile(planted); string(before) != string(after) {
				t.Error("written through a link")
			}
		})
	}
}

// swapped writes alice's credential with parts of bob's.
func swapped(change func(alices, bobs *entry)) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		folder, err := os.OpenRoot(filepath.Dir(path))
		if err != nil {
			t.Fatal(err)
		}
		defer folder.Close()
		h := &entry{Credential: fixture.Credential("alice", fixture.Noon), version: 1, fetchedAt: fixture.Noon}
		change(h, &entry{Credential: fixture.Credential("bob", fixture.Noon), version: 1, fetchedAt: fixture.Noon})
		if err := (&Cache{folder, filepath.Base(path), files.IsPrivate}).write(h); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCacheFolder: the folder is the user's own, or there is no cache.
func TestCacheFolder(t *testing.T) {
	tests := map[string]struct {
		make func(path string) error
		want string // in the error; "": it is used
	}{
		"there is none":         {func(string) error { return nil }, ""},
		"it is there":           {func(path string) error { return os.Mkdir(path, 0o700) }, ""},
		"others can look in":    {func(path string) error { return os.Mkdir(path, 0o755) }, ""},
		"it is a link":          {func(path string) error { return os.Symlink(t.TempDir(), path) }, "is not a folder"},
		"it is a file":          {func(path string) error { return os.WriteFile(path, nil, 0o600) }, "is not a folder"},
		"there is no place":     {func(path string) error { return os.WriteFile(filepath.Dir(path), nil, 0o600) }, "not a directory"},
		"nobody says where":     {func(string) error { t.Setenv("XDG_CACHE_HOME", ""); return nil }, "$HOME"},
		"it is named from here": {func(string) error { t.Setenv("XDG_CACHE_HOME", "caches"); return nil }, "relative"},
	}
	if os.Geteuid() == 0 {
		tests["it is somebody else's"] = struct {
			make func(path string) error
			want string
		}{func(path string) error { _ = os.Mkdir(path, 0o700); return os.Chown(path, 12345, -1) }, "belongs to another user"}
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			caches := filepath.Join(t.TempDir(), "caches")
			t.Setenv("HOME", "")
			setCaches(t, caches)
			if name != "there is no place" {
				if err := os.Mkdir(caches, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			path := filepath.Join(caches, "certsync")
			if err := tt.make(path); err != nil {
				t.Fatal(err)
			}
			c, err := OpenCache("somewhere")
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) || c != nil {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("%v, %v", info, err)
			}
		})
	}
}

// foreignFile is a file of another user.
type foreignFile struct{ fs.FileInfo }

func (foreignFile) Sys() any { return &syscall.Stat_t{Uid: uint32(os.Geteuid()) + 1} }

// TestIsOwn: the user who runs certsync owns a file, whatever the environment says.
func TestIsOwn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	fixture.WriteFile(t, path, nil, 0o600)
	info, err := os.Stat(path)
	if err != nil || !isOwn(info) || isOwn(foreignFile{info}) {
		t.Errorf("%v: %t, %t", err, isOwn(info), isOwn(foreignFile{info}))
	}
}
