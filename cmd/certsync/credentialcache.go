package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/certsync/certsync/reconcile"
)

// credentialCache is the file in which the plugin keeps the credential of one place in Vault. It is the user's alone, as
// ~/.kube/config is. nil keeps nothing.
type credentialCache struct {
	folder *os.Root
	name   string
}

// maxCacheFile is far more than a chain and a key have.
const maxCacheFile = 1 << 20

const cacheFormat = "1"

// cacheRecord is what stands in the file. What the certificate says itself is not repeated.
type cacheRecord struct {
	FormatVersion string    `json:"formatVersion"`
	Version       int       `json:"version"`
	FetchedAt     time.Time `json:"fetchedAt"`
	FailedAt      time.Time `json:"failedAt,omitzero"`
	Certificate   string    `json:"certificate"`
	Key           string    `json:"key,omitempty"`
}

// openCredentialCache opens the cache of a place in Vault, and makes the folder if there is none.
func openCredentialCache(place string) (*credentialCache, error) {
	caches, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(caches, "certsync")
	if err := os.MkdirAll(caches, 0o700); err != nil {
		return nil, err
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	folder, err := openPrivateFolder(path)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(place))
	return &credentialCache{folder, hex.EncodeToString(sum[:]) + ".json"}, nil
}

// openPrivateFolder opens a folder of ours that nobody else can look into. Under the name of one, a link may stand that
// leads to somebody else's.
func openPrivateFolder(path string) (*os.Root, error) {
	named, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !named.IsDir() {
		return nil, fmt.Errorf("%q is not a folder", path)
	}
	folder, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	opened, err := folder.Stat(".")
	switch {
	case err != nil:
	case !os.SameFile(named, opened):
		err = fmt.Errorf("%q is not the folder that it was", path)
	case !ours(opened):
		err = fmt.Errorf("%q belongs to somebody else", path)
	case !secluded(opened):
		err = folder.Chmod(".", 0o700)
	}
	if err != nil {
		return nil, errors.Join(err, folder.Close())
	}
	return folder, nil
}

func (c *credentialCache) close() {
	if c != nil {
		_ = c.folder.Close()
	}
}

// read returns the user's credential, or nil. A file that is not as write leaves it is none: somebody else's, one that
// others can read, one that makes no sense or holds another user's certificate.
func (c *credentialCache) read(user string) *heldCredential {
	if c == nil {
		return nil
	}
	data, err := c.content()
	if err != nil {
		return nil
	}
	var r cacheRecord
	decoder := json.NewDecoder(bytes.NewReader(data))
	if decoder.Decode(&r) != nil || decoder.More() || r.FormatVersion != cacheFormat {
		return nil
	}
	h := &heldCredential{version: r.Version, fetchedAt: r.FetchedAt, failedAt: r.FailedAt}
	h.Certificate = []byte(r.Certificate)
	if r.Key != "" {
		h.Key = reconcile.NewSecret([]byte(r.Key))
	}
	if h.until, err = reconcile.Usable(h.Credential, user); err != nil {
		return nil
	}
	return h
}

var errNotKept = errors.New("not a file that certsync has written")

// content reads the file, unless others can, too.
func (c *credentialCache) content() ([]byte, error) {
	// Asked before it is opened: opening a pipe would wait for somebody to write.
	named, err := c.folder.Lstat(c.name)
	if err != nil {
		return nil, err
	}
	if !named.Mode().IsRegular() || named.Size() > maxCacheFile {
		return nil, errNotKept
	}
	file, err := c.folder.Open(c.name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	opened, err := file.Stat()
	if err != nil || !os.SameFile(named, opened) || !ours(opened) || !secluded(opened) {
		return nil, errNotKept
	}
	return io.ReadAll(io.LimitReader(file, maxCacheFile))
}

// write replaces what is kept, whole or not at all: several plugins may run at once.
func (c *credentialCache) write(h *heldCredential) error {
	if c == nil {
		return nil
	}
	data, err := json.Marshal(cacheRecord{cacheFormat, h.version, h.fetchedAt, h.failedAt, string(h.Certificate), string(h.Key.Reveal())})
	if err != nil {
		return errNotKept // err may quote from it
	}
	temporary := c.name + "." + newRunID()
	file, err := c.folder.OpenFile(temporary, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Close()); err == nil {
		err = c.folder.Rename(temporary, c.name)
	}
	if err != nil {
		_ = c.folder.Remove(temporary)
	}
	return err
}

// remove deletes what is kept, and what a plugin that was killed has left half written.
func (c *credentialCache) remove() error {
	if c == nil {
		return nil
	}
	left, err := fs.Glob(c.folder.FS(), c.name+".*")
	for _, name := range append(left, c.name) {
		if gone := c.folder.Remove(name); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return err
}
