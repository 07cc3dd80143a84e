package main

import (
	"archive/tar"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// write writes the layout to out. Beside it, it writes the SBOMs and the layout as a tar file.
func write(out string, src source, index v1.ImageIndex, builds []build) error {
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	// A folder beside out can be renamed to it. Until the layout is complete, out stays as it was.
	temp, err := os.MkdirTemp(filepath.Dir(out), "image-*.tmp")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(temp) }()
	dir := filepath.Join(temp, "layout")
	if err := writeLayout(dir, src, index); err != nil {
		return err
	}
	archive := filepath.Join(temp, "layout.tar")
	if err := pack(archive, dir, src); err != nil {
		return err
	}
	if err := os.RemoveAll(out); err != nil {
		return err
	}
	if err := errors.Join(os.Rename(dir, out), os.Rename(archive, out+".tar")); err != nil {
		return err
	}
	for _, b := range builds {
		path := out + "-" + b.platform.OS + "-" + b.platform.Architecture + ".cdx.json"
		if err := os.WriteFile(path, b.sbom, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// writeLayout writes one entry, because tools ask for a choice between several. The entry has two names: the tag for
// registries, and the name under which containerd, and so Docker and Kubernetes, stores an imported image.
func writeLayout(dir string, src source, index v1.ImageIndex) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	_, err := layout.Write(dir, mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), mutate.IndexAddendum{
		Add: index,
		Descriptor: v1.Descriptor{Annotations: map[string]string{
			"org.opencontainers.image.ref.name": src.version,
			"io.containerd.image.name":          "localhost/certsync:" + src.version,
		}},
	}))
	return err
}

// pack writes the layout as a tar file, sorted by name and without data of this machine.
func pack(archive, dir string, src source) (err error) {
	file, err := os.Create(archive)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	w := tar.NewWriter(file)
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		return add(w, path, filepath.ToSlash(name), src)
	})
	return errors.Join(err, w.Close())
}

func add(w *tar.Writer, path, name string, src source) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: info.Size(), ModTime: src.time}
	if err := w.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.Copy(w, file)
	return err
}
