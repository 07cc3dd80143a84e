package main

import (
	"bytes"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// TestPush: whoever pushes the index has pushed the SBOMs, and a registry lists each among its image's referrers.
func TestPush(t *testing.T) {
	binary, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	repository, err := name.NewRepository(strings.TrimPrefix(server.URL, "http://") + "/certsync")
	if err != nil {
		t.Fatal(err)
	}
	src := source{version: "v1", time: time.Unix(1600000000, 0).UTC()}
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
	if err := remote.WriteIndex(repository.Tag("v1"), index); err != nil {
		t.Fatal(err)
	}
	for _, b := range builds {
		image, err := remote.Image(repository.Tag("v1"), remote.WithPlatform(b.platform))
		if err != nil {
			t.Fatal(err)
		}
		digest, err := image.Digest()
		if err != nil {
			t.Fatal(err)
		}
		if got := referrer(t, repository.Digest(digest.String())); !bytes.Equal(got, b.sbom) {
			t.Errorf("%s: what refers to it is not its SBOM but %d bytes", b.platform, len(got))
		}
	}
}

// referrer is the content of the only artifact whose subject is the image.
func referrer(t *testing.T, image name.Digest) []byte {
	t.Helper()
	var manifest *v1.IndexManifest
	all, err := remote.Referrers(image)
	if err == nil {
		manifest, err = all.IndexManifest()
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Manifests) != 1 {
		t.Fatalf("referrers of %s: %+v", image, manifest.Manifests)
	}
	artifact, err := remote.Image(image.Context().Digest(manifest.Manifests[0].Digest.String()))
	if err != nil {
		t.Fatal(err)
	}
	// Of the manifest: the library's registry takes the configuration's type for the artifact's.
	if kind, err := partial.ArtifactType(artifact); err != nil || kind != sbomType {
		t.Errorf("what refers to %s is %q (%v)", image, kind, err)
	}
	layers, err := artifact.Layers()
	if err != nil {
		t.Fatal(err)
	}
	content, err := layers[0].Compressed()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = content.Close() }()
	text, err := io.ReadAll(content)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
