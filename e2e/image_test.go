package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/certsync/certsync/e2e/harness"
)

// imageTimeout bounds a build of the image. The first one compiles certsync for another architecture.
const imageTimeout = 20 * time.Minute

// machines are the architectures of the image under test, by Go's name and by ELF's: this machine's. With CERTSYNC_SOAK they
// are all of the image's, since compiling for another one takes minutes.
var machines = func() map[string]elf.Machine {
	all := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
	if os.Getenv("CERTSYNC_SOAK") == "" {
		return map[string]elf.Machine{runtime.GOARCH: all[runtime.GOARCH]}
	}
	return all
}()

// builtImage is what `make image` makes of this source, once for all tests.
var builtImage = sync.OnceValues(func() (*harness.Layout, error) {
	root, err := harness.Root()
	if err != nil {
		return nil, err
	}
	return buildImage(root, "")
})

func buildImage(root, before string, env ...string) (*harness.Layout, error) {
	ctx, cancel := context.WithTimeout(context.Background(), imageTimeout)
	defer cancel()
	var platforms []string
	for arch := range machines {
		platforms = append(platforms, "linux/"+arch)
	}
	return harness.BuildImage(ctx, root, platforms, before, env...)
}

// image is builtImage for tests.
func image(t testing.TB) *harness.Layout {
	t.Helper()
	l, err := builtImage()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestImageReproducible: the image, its SBOMs and its tar file are the same bytes when they are built in another folder,
// at another time, from another clone with files of its own lying about, by somebody with other habits.
func TestImageReproducible(t *testing.T) {
	t.Parallel()
	first := image(t)
	clone := cloneSource(t)
	for _, stray := range []string{"notes.txt", "cmd/certsync/notes.txt"} {
		if err := os.WriteFile(filepath.Join(clone, stray), []byte("not of git's\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	second, err := buildImage(clone, "umask 077", "TZ=Pacific/Kiritimati", "LC_ALL=C", "GOFLAGS=-tags=habit -ldflags=-X=main.version=habit")
	if err != nil {
		t.Fatal(err)
	}
	want, got := imageFiles(t, first.Dir), imageFiles(t, second.Dir)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// oci-layout, index.json, a tar file, the index and an empty configuration; for each platform an SBOM and five blobs
	if len(want) != 5+6*len(machines) {
		t.Errorf("%d files: %v", len(want), want)
	}
}

// cloneSource is another clone of the repository, with the same changes in it that have not been committed here.
func cloneSource(t *testing.T) string {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	clone := filepath.Join(t.TempDir(), "another clone")
	git := func(dir string, args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir}, args...)...).Output()
		if err != nil {
			t.Fatalf("git %s: %v", strings.Join(args, " "), err)
		}
		return strings.TrimSpace(string(out))
	}
	git(root, "clone", "--quiet", root, clone)
	git(clone, "checkout", "--quiet", "--detach", git(root, "rev-parse", "HEAD"))
	for name := range strings.SplitSeq(git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"), "\x00") {
		if name != "" {
			copySource(t, filepath.Join(root, name), filepath.Join(clone, name))
		}
	}
	return clone
}

// copySource copies a file, or takes the copy away where there is none, and gives it a time of its own.
func copySource(t *testing.T, from, to string) {
	t.Helper()
	info, err := os.Stat(from)
	if os.IsNotExist(err) {
		if err := os.Remove(to); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, content, info.Mode().Perm()); err != nil {
		t.Fatal(err)
	}
	long := time.Date(2001, 9, 9, 1, 46, 40, 0, time.UTC)
	if err := os.Chtimes(to, long, long); err != nil {
		t.Fatal(err)
	}
}

// imageFiles are the checksums of all that make image wrote: the layout, and what has its name and more.
func imageFiles(t *testing.T, layout string) map[string]string {
	t.Helper()
	sums := map[string]string{}
	written, err := filepath.Glob(layout + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, place := range written {
		err := filepath.WalkDir(place, func(path string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() || strings.HasSuffix(path, ".lock") {
				return err
			}
			content, err := os.ReadFile(path)
			sums[strings.TrimPrefix(path, filepath.Dir(layout))] = fmt.Sprintf("%x", sha256.Sum256(content))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return sums
}

// TestImage: for each architecture there is certsync's binary, static and of the right version, and nothing else; and
// the image says what it is.
func TestImage(t *testing.T) {
	t.Parallel()
	l := image(t)
	version := l.Entry.Annotations["org.opencontainers.image.ref.name"]
	if version == "" {
		t.Error("the layout's entry has no name to push it by")
	}
	if len(l.Index.Manifests) != 2*len(machines) { // the images and their SBOMs
		t.Errorf("%d manifests in the index", len(l.Index.Manifests))
	}
	for arch, machine := range machines {
		t.Run(arch, func(t *testing.T) {
			manifest, config, err := l.Image(arch)
			if err != nil {
				t.Fatal(err)
			}
			checkConfig(t, config, arch, version)
			for what, annotations := range map[string]map[string]string{"index": l.Index.Annotations, "manifest": manifest.Annotations} {
				if diff := cmp.Diff(config.Config.Labels, annotations); diff != "" {
					t.Errorf("annotations of the %s: %s", what, diff)
				}
			}
			files, err := l.Files(manifest, config)
			if err != nil {
				t.Fatal(err)
			}
			want := []harness.File{{Name: "certsync", Mode: 0o555}}
			if diff := cmp.Diff(want, files, cmpopts.IgnoreFields(harness.File{}, "Content")); diff != "" {
				t.Fatal(diff)
			}
			checkStatic(t, files[0].Content, machine)
			checkBuild(t, files[0].Content, arch, version)
		})
	}
}

func checkConfig(t *testing.T, config harness.ImageConfig, arch, version string) {
	t.Helper()
	want := harness.ImageConfig{OS: "linux", Architecture: arch, Created: config.Config.Labels["org.opencontainers.image.created"]}
	want.Config.User, want.Config.WorkingDir, want.Config.Entrypoint = "65532:65532", "/", []string{"/certsync"}
	want.Config.Labels = config.Config.Labels
	want.RootFS.DiffIDs = config.RootFS.DiffIDs // Files compares them
	if diff := cmp.Diff(want, config); diff != "" {
		t.Error(diff)
	}
	for label, form := range map[string]string{
		"title":       `certsync`,
		"description": `.{20,}`,
		"licenses":    `Apache-2\.0`,
		"source":      `https://.*/certsync`,
		"version":     regexp.QuoteMeta(version),
		"revision":    `[0-9a-f]{40}(-dirty)?`,
		"created":     `20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ`,
	} {
		text := config.Config.Labels["org.opencontainers.image."+label]
		if !regexp.MustCompile("^(?:" + form + ")$").MatchString(text) {
			t.Errorf("label %s: %q, want %s", label, text, form)
		}
	}
}

// checkStatic: the binary is for that machine, and needs no other file to start.
func checkStatic(t *testing.T, binary []byte, machine elf.Machine) {
	t.Helper()
	file, err := elf.NewFile(bytes.NewReader(binary))
	if err != nil {
		t.Fatal(err)
	}
	if file.Machine != machine || file.Type != elf.ET_EXEC {
		t.Errorf("the binary is %s for %s, want %s for %s", file.Type, file.Machine, elf.ET_EXEC, machine)
	}
	for _, segment := range file.Progs {
		if segment.Type == elf.PT_INTERP || segment.Type == elf.PT_DYNAMIC {
			t.Errorf("the binary has a segment %s", segment.Type)
		}
	}
	for _, section := range file.Sections {
		if section.Type == elf.SHT_DYNAMIC || section.Type == elf.SHT_SYMTAB || strings.HasPrefix(section.Name, ".debug") {
			t.Errorf("the binary has a section %s (%s)", section.Name, section.Type)
		}
	}
}

// checkBuild: the binary was built as the image says, and knows nothing of where.
func checkBuild(t *testing.T, binary []byte, arch, version string) {
	t.Helper()
	info, err := buildinfo.Read(bytes.NewReader(binary))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, s := range info.Settings {
		if s.Key != "GOAMD64" && s.Key != "GOARM64" && s.Key != "DefaultGODEBUG" {
			got[s.Key] = s.Value
		}
	}
	want := map[string]string{"-buildmode": "exe", "-compiler": "gc", "-gcflags": "all=-dwarf=false", "-trimpath": "true", "CGO_ENABLED": "0", "GOOS": "linux", "GOARCH": arch}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(binary, []byte(version)) || bytes.Contains(binary, []byte(root)) {
		t.Errorf("the binary does not have version %q in it, or has %q", version, root)
	}
}
