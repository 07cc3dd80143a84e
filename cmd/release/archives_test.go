package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

var released = source{version: "v1.2.3", revision: "r", time: time.Unix(1600000000, 0).UTC()}

// entry is what an archive says of a file.
type entry struct {
	Name  string
	Mode  fs.FileMode
	Owner string
	Time  time.Time
}

// unpack reads an archive.
func unpack(t *testing.T, a archive) (entries []entry, contents map[string][]byte) {
	t.Helper()
	contents = map[string][]byte{}
	keep := func(e entry, r io.Reader) {
		e.Time = e.Time.UTC()
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		entries, contents[e.Name] = append(entries, e), content
	}
	if strings.HasSuffix(a.name, ".zip") {
		r, err := zip.NewReader(bytes.NewReader(a.content), int64(len(a.content)))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range r.File {
			content, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			keep(entry{f.Name, f.Mode(), "", f.Modified}, content)
		}
		return entries, contents
	}
	compressed, err := gzip.NewReader(bytes.NewReader(a.content))
	if err != nil {
		t.Fatal(err)
	}
	if compressed.Name != "" || !compressed.ModTime.IsZero() {
		t.Errorf("%s: gzip says %q of %s", a.name, compressed.Name, compressed.ModTime)
	}
	r := tar.NewReader(compressed)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return entries, contents
		}
		if err != nil {
			t.Fatal(err)
		}
		owner := ""
		if h.Uid != 0 || h.Gid != 0 || h.Uname != "" || h.Gname != "" {
			owner = fmt.Sprint(h.Uid, h.Gid, h.Uname, h.Gname)
		}
		keep(entry{h.Name, fs.FileMode(h.Mode), owner, h.ModTime}, r)
	}
}

// TestArchive: there is the binary, to be run, and what lies beside it; of no time but the source's,
// and of nobody. Any Go program is a binary for this: the test itself.
func TestArchive(t *testing.T) {
	binary, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	beside, err := readBeside("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, platform := range []v1.Platform{{OS: "linux", Architecture: "arm64"}, {OS: "windows", Architecture: "amd64"}} {
		a, err := newArchive(released, platform, binary, beside)
		if err != nil {
			t.Fatal(err)
		}
		entries, contents := unpack(t, a)
		want := []entry{
			{"LICENSE", 0o644, "", released.time},
			{"README.md", 0o644, "", released.time},
			{program(platform), 0o755, "", released.time},
			{"certsync.cdx.json", 0o644, "", released.time},
			{"completions/certsync.bash", 0o644, "", released.time},
			{"completions/certsync.fish", 0o644, "", released.time},
			{"completions/certsync.zsh", 0o644, "", released.time},
		}
		if platform.OS == "windows" {
			want[2], want[3] = want[3], want[2]
		}
		if diff := cmp.Diff(want, entries); diff != "" {
			t.Errorf("%s: %s", a.name, diff)
		}
		for name, path := range map[string]string{
			program(platform): os.Args[0], "LICENSE": "../../LICENSE", "README.md": "../../README.md",
			"completions/certsync.bash": "../certsync/internal/completion/certsync.bash",
			"completions/certsync.fish": "../certsync/internal/completion/certsync.fish",
			"completions/certsync.zsh":  "../certsync/internal/completion/certsync.zsh",
		} {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(contents[name], content) {
				t.Errorf("%s: %s is not %s", a.name, name, path)
			}
		}
	}
}

func TestArchiveName(t *testing.T) {
	var names []string
	for _, platform := range archivePlatforms {
		names = append(names, archiveName(released, platform))
	}
	want := []string{
		"certsync_v1.2.3_darwin_amd64.tar.gz", "certsync_v1.2.3_darwin_arm64.tar.gz",
		"certsync_v1.2.3_linux_amd64.tar.gz", "certsync_v1.2.3_linux_arm64.tar.gz",
		"certsync_v1.2.3_windows_amd64.zip", "certsync_v1.2.3_windows_arm64.zip",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
}

// TestArchiveReproducible: the same files are the same archive, whenever they are packed.
func TestArchiveReproducible(t *testing.T) {
	files := []file{{"certsync", 0o755, bytes.Repeat([]byte("binary"), 1<<16)}, {"README.md", 0o644, []byte("text")}}
	for what, pack := range map[string]func([]file, time.Time) ([]byte, error){"tar": newTar, "zip": newZip} {
		first, err := pack(files, released.time)
		if err != nil {
			t.Fatal(err)
		}
		second, err := pack(files, released.time.In(time.FixedZone("elsewhere", 14*60*60)))
		if err != nil || !bytes.Equal(first, second) {
			t.Errorf("%s: it comes out differently the second time (%v)", what, err)
		}
	}
}

// TestReplaceFolder: the release is whole, and nothing of an earlier one is left, which nobody has a checksum of.
func TestReplaceFolder(t *testing.T) {
	out := filepath.Join(t.TempDir(), "new", "release")
	for _, name := range []string{"one", "two"} {
		archives := []archive{{name + ".zip", []byte(name)}}
		if err := replaceFolder(out, append(archives, archive{checksums, sumsOf(archives)})); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]string{}
	err := filepath.WalkDir(filepath.Dir(out), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		content := ""
		if !d.IsDir() {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			content = " " + string(text)
		}
		name, err := filepath.Rel(filepath.Dir(out), path)
		got[filepath.ToSlash(name)] = info.Mode().String() + content
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		".":               "drwxr-xr-x",
		"release":         "drwxr-xr-x",
		"release/two.zip": "-rw-r--r-- two",
		// printf two | sha256sum
		"release/SHA256SUMS": "-rw-r--r-- 3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3  two.zip\n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestChosen(t *testing.T) {
	for list, want := range map[string][]string{
		"linux/arm64":                         {"linux/arm64"},
		"windows/amd64,darwin/arm64":          {"darwin/arm64", "windows/amd64"},
		"plan9/amd64":                         nil,
		"linux/amd64,":                        nil,
		"linux/amd64,linux/amd64":             nil,
		"linux":                               nil,
		"linux/amd64,windows/amd64,linux/386": nil,
	} {
		platforms, err := chosen(list)
		var got []string
		for _, p := range platforms {
			got = append(got, p.String())
		}
		if diff := cmp.Diff(want, got); diff != "" || (err == nil) != (want != nil) {
			t.Errorf("%q: %v, %s", list, err, diff)
		}
	}
	all, err := chosen("")
	if diff := cmp.Diff(archivePlatforms, all, cmp.Comparer(v1.Platform.Equals)); diff != "" || err != nil {
		t.Errorf("%v: %s", err, diff)
	}
}
