package harness

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Layout is a container image on disk. It is read with the standard library alone, so that whatever wrote it cannot make
// the same mistake twice.
type Layout struct {
	Dir   string
	Entry Descriptor // the only one of index.json
	Index Manifest
}

// Descriptor is how OCI refers to a blob.
type Descriptor struct {
	MediaType, Digest, ArtifactType string
	Size                            int64
	Annotations                     map[string]string
	Platform                        struct{ OS, Architecture string }
}

// Manifest is OCI's of an image, of an index, or of what is attached to one.
type Manifest struct {
	MediaType, ArtifactType string
	Manifests, Layers       []Descriptor
	Config                  Descriptor
	Subject                 *Descriptor
	Annotations             map[string]string
}

// ImageConfig is what an image says of itself.
type ImageConfig struct {
	OS, Architecture, Created string
	Config                    struct {
		User, WorkingDir string
		Entrypoint, Cmd  []string
		Env              []string
		Labels           map[string]string
	}
	RootFS struct {
		DiffIDs []string `json:"diff_ids"`
	}
}

// OpenLayout reads the layout's only entry, an index.
func OpenLayout(dir string) (*Layout, error) {
	text, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		return nil, err
	}
	var top Manifest
	if err := json.Unmarshal(text, &top); err != nil {
		return nil, fmt.Errorf("reading index.json of %q: %w", dir, err)
	}
	if len(top.Manifests) != 1 {
		return nil, fmt.Errorf("reading index.json of %q: %d entries, want one", dir, len(top.Manifests))
	}
	l := &Layout{Dir: dir, Entry: top.Manifests[0]}
	return l, l.Read(l.Entry, &l.Index)
}

// Blob returns what a descriptor refers to, once it has its size and digest.
func (l *Layout) Blob(d Descriptor) ([]byte, error) {
	sum, ok := strings.CutPrefix(d.Digest, "sha256:")
	if !ok || filepath.Base(sum) != sum {
		return nil, fmt.Errorf("reading the blob %q: no sha256", d.Digest)
	}
	blob, err := os.ReadFile(filepath.Join(l.Dir, "blobs", "sha256", sum))
	if err != nil {
		return nil, err
	}
	if found := sha256.Sum256(blob); int64(len(blob)) != d.Size || hex.EncodeToString(found[:]) != sum {
		return nil, fmt.Errorf("reading the blob %s of %d bytes: found %d bytes, sha256:%x", d.Digest, d.Size, len(blob), found)
	}
	return blob, nil
}

// Read decodes a blob that is JSON.
func (l *Layout) Read(d Descriptor, into any) error {
	blob, err := l.Blob(d)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(blob, into); err != nil {
		return fmt.Errorf("reading the blob %s: %w", d.Digest, err)
	}
	return nil
}

// Image returns the manifest and the configuration for one platform of Linux.
func (l *Layout) Image(architecture string) (m Manifest, c ImageConfig, err error) {
	for _, d := range l.Index.Manifests {
		if d.Platform.OS == "linux" && d.Platform.Architecture == architecture {
			if err := l.Read(d, &m); err != nil {
				return m, c, err
			}
			return m, c, l.Read(m.Config, &c)
		}
	}
	return m, c, fmt.Errorf("the image has nothing for linux/%s", architecture)
}

// File is one of an image, with what of its header a run can tell.
type File struct {
	Name     string
	Mode     os.FileMode
	UID, GID int
	Unix     int64 // its time
	Content  []byte
}

// Files returns what is in the image's layers, one after the other, after comparing each with its diff ID.
func (l *Layout) Files(m Manifest, c ImageConfig) ([]File, error) {
	if len(m.Layers) != len(c.RootFS.DiffIDs) {
		return nil, fmt.Errorf("reading the image: %d layers, %d diff IDs", len(m.Layers), len(c.RootFS.DiffIDs))
	}
	var files []File
	for n, d := range m.Layers {
		blob, err := l.Blob(d)
		if err != nil {
			return nil, err
		}
		unzip, err := gzip.NewReader(bytes.NewReader(blob))
		if err != nil {
			return nil, fmt.Errorf("reading the layer %s: %w", d.Digest, err)
		}
		archive, err := io.ReadAll(unzip)
		if err != nil {
			return nil, fmt.Errorf("reading the layer %s: %w", d.Digest, err)
		}
		if sum := sha256.Sum256(archive); "sha256:"+hex.EncodeToString(sum[:]) != c.RootFS.DiffIDs[n] {
			return nil, fmt.Errorf("reading the layer %s: its diff ID is sha256:%x, not %s", d.Digest, sum, c.RootFS.DiffIDs[n])
		}
		layer, err := untar(archive)
		if err != nil {
			return nil, fmt.Errorf("reading the layer %s: %w", d.Digest, err)
		}
		files = append(files, layer...)
	}
	return files, nil
}

func untar(archive []byte) ([]File, error) {
	var files []File
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		files = append(files, File{Name: header.Name, Mode: header.FileInfo().Mode(), UID: header.Uid, GID: header.Gid,
			Unix: header.ModTime.Unix(), Content: content})
	}
}
