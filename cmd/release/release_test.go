package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// here is the platform that the test runs on: one is compiled for in tests, with the image's flags, so that one
// compilation serves both.
var here = v1.Platform{OS: runtime.GOOS, Architecture: runtime.GOARCH}

// TestRelease has make build the archive for this platform in the clone, and another time outside of git, in another
// folder, by somebody with other habits: both are the same, and hold a certsync that knows its version.
func TestRelease(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	name := archiveName(source{version: "v9.8.7"}, here)
	first := makeRelease(t, root, "")
	second := makeRelease(t, copySource(t, root), "umask 077; export TZ=Pacific/Kiritimati GOFLAGS='-tags=habit -ldflags=-X=main.version=habit'")
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("the checksums differ: %s", diff)
	}
	content, ok := first[name]
	if !ok || len(first) != 3 {
		t.Fatalf("%d files, none of them or more than %s", len(first), name)
	}
	sum, _, _ := strings.Cut(first[checksums], " ")
	if manifest := first[krewFile]; !strings.Contains(manifest, "/v9.8.7/"+name+`"`) || !strings.Contains(manifest, "sha256: "+sum+"\n") {
		t.Errorf("the manifest for krew is not that of %s: %s", name, manifest)
	}
	if want := string(sumsOf([]archive{{name, []byte(content)}})); first[checksums] != want {
		t.Errorf("checksums %q, want %q", first[checksums], want)
	}
	out, err := exec.CommandContext(t.Context(), installed(t, []byte(content)), "version").Output()
	if err != nil || string(out) != "certsync v9.8.7\n" {
		t.Errorf("certsync version: %q (%v)", out, err)
	}
}

// makeRelease runs make release in the source at root, after before, and returns what is in the files that it writes.
func makeRelease(t *testing.T, root, before string) map[string]string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute) // it may have to compile all of certsync
	defer cancel()
	out := filepath.Join(t.TempDir(), "release")
	cmd := exec.CommandContext(ctx, "sh", "-c", before+"\nexec make --no-print-directory release")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "MAKEFLAGS=", "VERSION=v9.8.7", "SOURCE_DATE_EPOCH=1600000000", "PLATFORMS="+here.String(), "RELEASE="+out, "RELEASE_URL=https://example.com/certsync/v9.8.7")
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make release: %v\n%s", err, output)
	}
	paths, err := filepath.Glob(filepath.Join(out, "*"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(path)] = string(content)
	}
	return files
}

// copySource copies the files that git knows to a folder that git does not.
func copySource(t *testing.T, root string) string {
	t.Helper()
	files, err := exec.CommandContext(t.Context(), "git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "another clone")
	for name := range strings.SplitSeq(strings.TrimSuffix(string(files), "\x00"), "\x00") {
		content, err := os.ReadFile(filepath.Join(root, name))
		if os.IsNotExist(err) {
			continue // deleted, and not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// installed is the program in an archive, unpacked.
func installed(t *testing.T, content []byte) string {
	t.Helper()
	_, contents := unpack(t, archive{archiveName(released, here), content})
	path := filepath.Join(t.TempDir(), program(here))
	if err := os.WriteFile(path, contents[program(here)], 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}
