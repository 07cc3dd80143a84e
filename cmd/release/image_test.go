package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// TestWrite: what is written is whole, by the library's own checks, and takes the place of what was there. Any Go program
// is a binary for this: the test itself.
func TestWrite(t *testing.T) {
	binary, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir() + "/image"
	for _, version := range []string{"v1", "v2"} {
		src := source{version: version, revision: "r", time: time.Unix(1600000000, 0).UTC()}
		var builds []build
		for _, platform := range imagePlatforms {
			b, err := assemble(src, platform, binary)
			if err != nil {
				t.Fatal(err)
			}
			builds = append(builds, b)
		}
		index, err := newIndex(src, builds)
		if err != nil {
			t.Fatal(err)
		}
		if err := write(out, src, index, builds); err != nil {
			t.Fatal(err)
		}
		if err := validate.Index(only(t, out)); err != nil {
			t.Error(err)
		}
	}
	manifest, err := only(t, out).IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if version := manifest.Annotations["org.opencontainers.image.version"]; version != "v2" {
		t.Errorf("version %q, want v2", version)
	}
	// oci-layout, index.json, blobs, blobs/sha256, and there: an index, two manifests, two configurations, the layer that
	// both have, two SBOMs with two manifests and one configuration between them.
	found := 0
	err = filepath.WalkDir(out, func(string, fs.DirEntry, error) error { found++; return nil })
	if err != nil || found != 1+4+11 {
		t.Errorf("%d files and folders, want 16 (%v)", found, err)
	}
}

// only is the layout's only entry.
func only(t *testing.T, dir string) v1.ImageIndex {
	t.Helper()
	all, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := all.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Manifests) != 1 {
		t.Fatalf("%d entries, want 1", len(manifest.Manifests))
	}
	index, err := all.ImageIndex(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	return index
}
