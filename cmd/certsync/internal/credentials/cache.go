package credentials

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/certsync/certsync/inventory/files"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/pki"
)

// Cache is the file that keeps the credential of one path in Vault. A nil Cache keeps nothing.
type Cache struct {
	folder    *os.Root
	name      string
	isPrivate func(fs.FileInfo) bool // nobody but the owner has a right to a file
}

// maxCacheFile is far more bytes than a certificate chain and a key have.
const maxCacheFile = 1 << 20

const cacheFormat = "1"

// cacheRecord is the content of the file. It repeats nothing that the certificate contains.
type cacheRecord struct {
	FormatVersion string    `json:"formatVersion"`
	Version       int       `json:"version"`
	FetchedAt     time.Time `json:"fetchedAt"`
	FailedAt      time.Time `json:"failedAt,omitzero"`
	Certificate   string    `json:"certificate"`
	Key           string    `json:"key,omitempty"`
}

// OpenCache opens the cache of a place in Vault, see vaultstore.Options.Place. It makes the folder certsync in the user's
// cache folder if it is missing. Its error has a hint, and the nil Cache beside it can be used.
func OpenCache(place string) (*Cache, error) {
	c, err := openCache(place, files.IsPrivate)
	return c, notKept(err)
}

// notKept is the error for a credential that is not kept in the cache, or nil.
func notKept(err error) error {
	if err == nil {
		return nil
	}
	return reconcile.WithHint(fmt.Errorf("keeping the credential in the cache: %w", err),
		"certsync works without a cache, but then every command needs Vault")
}

func openCache(place string, isPrivate func(fs.FileInfo) bool) (*Cache, error) {
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
	folder, err := openPrivateFolder(path, isPrivate)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(place))
	return &Cache{folder, hex.EncodeToString(sum[:]) + ".json", isPrivate}, nil
}

// openPrivateFolder opens a folder of the user, and takes all rights to it from others. It refuses a link, which may lead
// to a folder of somebody else.
func openPrivateFolder(path string, isPrivate func(fs.FileInfo) bool) (*os.Root, error) {
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
		err = fmt.Errorf("%q was replaced while certsync opened it", path)
	case !isOwn(opened):
		err = fmt.Errorf("%q belongs to another user", path)
	case !isPrivate(opened):
		if err = folder.Chmod(".", 0o700); err == nil {
			opened, err = folder.Stat(".")
		}
		if err == nil && !isPrivate(opened) {
			err = fmt.Errorf("%q: %w", path, files.ErrNoModes)
		}
	}
	if err != nil {
		return nil, errors.Join(err, folder.Close())
	}
	return folder, nil
}

// Close closes the cache's folder.
func (c *Cache) Close() {
	if c != nil {
		_ = c.folder.Close()
	}
}

// read returns the user's entry, or nil. It returns nil for a file that others can read or could have changed. It also does
// for a file that holds no entry, or a certificate of another user.
func (c *Cache) read(user string) *entry {
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
	e := &entry{version: r.Version, fetchedAt: r.FetchedAt, failedAt: r.FailedAt}
	e.Certificate = []byte(r.Certificate)
	if r.Key != "" {
		e.Key = reconcile.NewSecret([]byte(r.Key))
	}
	if e.until, err = pki.Usable(e.Credential, user); err != nil {
		return nil
	}
	return e
}

var errForeignFile = errors.New("not a file that certsync wrote")

// content reads the file, if it is the user's own and private.
func (c *Cache) content() ([]byte, error) {
	// The name is checked before the file is opened. Opening a pipe would wait for a writer.
	named, err := c.folder.Lstat(c.name)
	if err != nil {
		return nil, err
	}
	if !named.Mode().IsRegular() {
		return nil, errForeignFile
	}
	file, err := c.folder.Open(c.name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return files.ReadOpened(file, c.name, maxCacheFile, func(opened fs.FileInfo) error {
		if !os.SameFile(named, opened) || !isOwn(opened) || !c.isPrivate(opened) {
			return errForeignFile
		}
		return nil
	})
}

// write replaces the file as a whole, or leaves it as it is. It is no files.Replace: it stays in the folder that was checked,
// whatever gets its name. It does not wait for the disk, since Vault has all that a crash could take.
func (c *Cache) write(e *entry) error {
	if c == nil {
		return nil
	}
	data, err := json.Marshal(cacheRecord{cacheFormat, e.version, e.fetchedAt, e.failedAt, string(e.Certificate), string(e.Key.Reveal())})
	if err != nil {
		return errForeignFile // err may repeat the key
	}
	temporary := c.name + "." + rand.Text()
	file, err := c.folder.OpenFile(temporary, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil && !c.isPrivate(info) {
		err = files.ErrNoModes
	}
	if err == nil {
		_, err = file.Write(data)
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = c.folder.Rename(temporary, c.name)
	}
	if err != nil {
		_ = c.folder.Remove(temporary)
	}
	return err
}

// remove deletes the file, and temporary files of plugins that were killed.
func (c *Cache) remove() error {
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
