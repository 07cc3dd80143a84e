package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	description = "Access to a Kubernetes cluster by client certificates, from a users.yaml in git"
	licence     = "Apache-2.0"
	// user is a number, so that it needs no /etc/passwd, and runAsNonRoot can check it. Other minimal images use the same.
	user = "65532:65532"

	sbomType    = "application/vnd.cyclonedx+json"
	emptyConfig = types.MediaType("application/vnd.oci.empty.v1+json")
)

// labels are the labels of the image and the annotations of its manifests.
func (s source) labels() map[string]string {
	labels := map[string]string{
		"org.opencontainers.image.title":       "certsync",
		"org.opencontainers.image.description": description,
		"org.opencontainers.image.licenses":    licence,
		"org.opencontainers.image.source":      "https://github.com/certsync/certsync",
		"org.opencontainers.image.version":     s.version,
		"org.opencontainers.image.created":     s.time.Format(time.RFC3339),
	}
	if s.revision != "" {
		labels["org.opencontainers.image.revision"] = s.revision
	}
	return labels
}

// newImage returns an image that holds only the binary.
func newImage(src source, platform v1.Platform, binary []byte) (v1.Image, error) {
	layer, err := newLayer(binary)
	if err != nil {
		return nil, err
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	base, err = mutate.ConfigFile(base, &v1.ConfigFile{
		OS:           platform.OS,
		Architecture: platform.Architecture,
		Created:      v1.Time{Time: src.time},
		RootFS:       v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{}},
		Config: v1.Config{
			User:       user,
			Entrypoint: []string{"/certsync"},
			WorkingDir: "/",
			Labels:     src.labels(),
		},
	})
	if err != nil {
		return nil, err
	}
	image, err := mutate.Append(base, mutate.Addendum{
		Layer:   layer,
		History: v1.History{Created: v1.Time{Time: src.time}, CreatedBy: "make image", Comment: "certsync " + src.version},
	})
	if err != nil {
		return nil, err
	}
	return mutate.Annotations(image, src.labels()).(v1.Image), nil
}

// newLayer holds one file, which belongs to root and which everybody can run. It has no time, so that the same binary gives the same layer.
func newLayer(binary []byte) (v1.Layer, error) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	header := &tar.Header{Typeflag: tar.TypeReg, Name: "certsync", Mode: 0o555, Size: int64(len(binary)), ModTime: time.Unix(0, 0)}
	if err := w.WriteHeader(header); err != nil {
		return nil, err
	}
	if _, err := w.Write(binary); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(
		func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive.Bytes())), nil },
		tarball.WithMediaType(types.OCILayer), tarball.WithCompressionLevel(gzip.DefaultCompression), tarball.WithCompressedCaching)
}

// artifact is an OCI manifest that describes another one, its subject.
type artifact struct {
	manifest []byte
	content  v1.Layer
}

// newArtifact attaches the SBOM to the image: registries list it among the image's referrers.
func newArtifact(src source, image v1.Image, sbom []byte) (v1.Image, error) {
	subject, err := partial.Descriptor(image)
	if err != nil {
		return nil, err
	}
	subject.ArtifactType = ""
	content := static.NewLayer(sbom, sbomType)
	layer, err := partial.Descriptor(content)
	if err != nil {
		return nil, err
	}
	layer.Annotations = map[string]string{"org.opencontainers.image.title": "sbom.cdx.json"}
	config := artifact{}.config()
	digest, size, err := v1.SHA256(bytes.NewReader(config))
	if err != nil {
		return nil, err
	}
	manifest, err := json.Marshal(v1.Manifest{
		SchemaVersion: 2,
		MediaType:     types.OCIManifestSchema1,
		ArtifactType:  sbomType,
		Config:        v1.Descriptor{MediaType: emptyConfig, Digest: digest, Size: size},
		Layers:        []v1.Descriptor{*layer},
		Subject:       subject,
		Annotations:   map[string]string{"org.opencontainers.image.created": src.time.Format(time.RFC3339)},
	})
	if err != nil {
		return nil, err
	}
	return partial.CompressedToImage(artifact{manifest: manifest, content: content})
}

// config is the empty configuration of an artifact.
func (artifact) config() []byte { return []byte("{}") }

func (a artifact) RawConfigFile() ([]byte, error)      { return a.config(), nil }
func (a artifact) RawManifest() ([]byte, error)        { return a.manifest, nil }
func (a artifact) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }
func (a artifact) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	if digest, err := a.content.Digest(); err != nil || digest != h {
		return nil, fmt.Errorf("the artifact has no %s", h)
	}
	return a.content, nil
}

// newIndex returns the image for all platforms. It also holds the SBOMs, for an unknown platform. So every tool that copies
// the index copies them too, and no tool runs one as an image.
func newIndex(src source, builds []build) (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, b := range builds {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: b.image, Descriptor: v1.Descriptor{Platform: &b.platform}})
	}
	for _, b := range builds {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: b.artifact, Descriptor: v1.Descriptor{
			ArtifactType: sbomType,
			Platform:     &v1.Platform{OS: "unknown", Architecture: "unknown"},
		}})
	}
	return mutate.Annotations(index, src.labels()).(v1.ImageIndex), nil
}
