package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// archivePlatforms are the platforms of the archives, sorted by name.
var archivePlatforms = []v1.Platform{
	{OS: "darwin", Architecture: "amd64"},
	{OS: "darwin", Architecture: "arm64"},
	{OS: "linux", Architecture: "amd64"},
	{OS: "linux", Architecture: "arm64"},
	{OS: "windows", Architecture: "amd64"},
	{OS: "windows", Architecture: "arm64"},
}

// checksums is the file for `sha256sum -c`.
const checksums = "SHA256SUMS"

// chosen reads a list such as linux/amd64,windows/arm64. An empty list means all platforms.
func chosen(list string) ([]v1.Platform, error) {
	if list == "" {
		return archivePlatforms, nil
	}
	var platforms []v1.Platform
	for _, platform := range archivePlatforms {
		if slices.Contains(strings.Split(list, ","), platform.String()) {
			platforms = append(platforms, platform)
		}
	}
	if len(platforms) != len(strings.Split(list, ",")) {
		return nil, fmt.Errorf("-platforms %q: expected platforms from %v", list, archivePlatforms)
	}
	return platforms, nil
}

// archive is a file of the release.
type archive struct {
	name    string
	content []byte
}

// writeArchives compiles for each platform, and writes the archives and their checksums to out. With the url of the folder
// where they are published, it also writes the manifest for krew.
func writeArchives(ctx context.Context, c compiler, src source, platforms []v1.Platform, url, out string) error {
	beside, err := readBeside(c.root)
	if err != nil {
		return err
	}
	var archives []archive
	for _, platform := range platforms {
		fmt.Fprintf(os.Stderr, "release: compiling for %s\n", platform) // takes minutes the first time
		binary, err := c.binary(ctx, src, platform)
		if err != nil {
			return fmt.Errorf("building for %s: %w", platform, err)
		}
		a, err := newArchive(src, platform, binary, beside)
		if err != nil {
			return fmt.Errorf("packing for %s: %w", platform, err)
		}
		archives = append(archives, a)
	}
	sums := sumsOf(archives)
	files := append(archives, archive{checksums, sums})
	if url != "" {
		files = append(files, krewManifest(src, platforms, archives, url))
	}
	if err := replaceFolder(out, files); err != nil {
		return fmt.Errorf("writing %q: %w", out, err)
	}
	fmt.Printf("%s: certsync %s\n%s", c.shown(out), src.version, sums)
	return nil
}

// readBeside reads the other files of every archive. The completion scripts are the ones that certsync prints.
func readBeside(root string) ([]file, error) {
	files := []file{
		{name: "LICENSE"}, {name: "README.md"},
		{name: "completions/certsync.bash"}, {name: "completions/certsync.fish"}, {name: "completions/certsync.zsh"},
	}
	for i, f := range files {
		path := filepath.Join(root, strings.Replace(f.name, "completions/", "cmd/certsync/internal/completion/", 1))
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		files[i].mode, files[i].content = 0o644, content
	}
	return files, nil
}

// newArchive packs a platform's binary, the other files, and the SBOM.
func newArchive(src source, platform v1.Platform, binary []byte, beside []file) (archive, error) {
	sbom, err := newSBOM(src, platform, binary)
	if err != nil {
		return archive{}, err
	}
	files := append([]file{{program(platform), 0o755, binary}, {"certsync.cdx.json", 0o644, sbom}}, beside...)
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	pack := newTar
	if platform.OS == "windows" {
		pack = newZip
	}
	content, err := pack(files, src.time)
	return archive{archiveName(src, platform), content}, err
}

func archiveName(src source, platform v1.Platform) string {
	ending := ".tar.gz"
	if platform.OS == "windows" {
		ending = ".zip"
	}
	return fmt.Sprintf("certsync_%s_%s_%s%s", src.version, platform.OS, platform.Architecture, ending)
}

// program is the file name of the binary.
func program(platform v1.Platform) string {
	if platform.OS == "windows" {
		return "certsync.exe"
	}
	return "certsync"
}

func sumsOf(archives []archive) []byte {
	var sums bytes.Buffer
	for _, a := range archives {
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(a.content), a.name)
	}
	return sums.Bytes()
}

// replaceFolder writes files to a temporary folder, and renames that to out when it is complete.
func replaceFolder(out string, files []archive) error {
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(filepath.Dir(out), "release-*.tmp")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(temp) }()
	if err := os.Chmod(temp, 0o755); err != nil {
		return err
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(temp, f.name), f.content, 0o644); err != nil {
			return err
		}
	}
	return errors.Join(os.RemoveAll(out), os.Rename(temp, out))
}
