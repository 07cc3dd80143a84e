package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Folder is the folder of a file, as an fs.FS. No link leads out of it, and to open a pipe in it does not wait for
// a writer, as it does in os.Root's own FS.
type Folder struct{ root *os.Root }

// OpenFolder opens the folder of the file at path.
func OpenFolder(path string) (Folder, error) {
	dir := filepath.Dir(path)
	// The dot makes a pipe in the folder's place an error. os.OpenRoot alone waits for a writer.
	root, err := os.OpenRoot(dir + string(filepath.Separator) + ".")
	if err != nil {
		return Folder{}, &fs.PathError{Op: "open", Path: path, Err: Reason(err)}
	}
	return Folder{root}, nil
}

// Open opens a file for reading.
func (c Folder) Open(name string) (fs.File, error) {
	local, err := filepath.Localize(name)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	file, err := c.root.OpenFile(local, openFlag, 0)
	if err != nil {
		return nil, err
	}
	return file, nil
}

// Stat describes a file, also one that cannot be opened.
func (c Folder) Stat(name string) (fs.FileInfo, error) {
	local, err := filepath.Localize(name)
	if err != nil {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	return c.root.Stat(local)
}

// Read returns the content of the file at path, which is in this folder and has at most limit bytes.
func (c Folder) Read(path string, limit int) ([]byte, error) {
	name := filepath.Base(path)
	file, err := c.root.OpenFile(name, openFlag, 0)
	if err != nil {
		_, inside := c.root.Stat(name)
		if _, anywhere := os.Stat(path); anywhere == nil && inside != nil {
			// Somebody who may change the link, but not read its target, would read it in the errors.
			return nil, fmt.Errorf("%q is a link that leads out of its folder: name the file itself", path)
		}
		return nil, &fs.PathError{Op: "open", Path: path, Err: Reason(err)}
	}
	defer file.Close()
	return ReadOpened(file, path, limit)
}

// Close ends the use of the folder.
func (c Folder) Close() error { return c.root.Close() }

// Reason is an error without the path.
func Reason(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}
