package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/physical"
	"github.com/hashicorp/vault/sdk/physical/file"
	"github.com/hashicorp/vault/sdk/physical/inmem"
)

// newStorage keeps Vault's data in dir, or in memory.
func newStorage(dir string, logger hclog.Logger) (physical.Backend, string, error) {
	if dir == "" {
		storage, err := inmem.NewInmem(nil, logger)
		return storage, "inmem", err
	}
	storage, err := file.NewFileBackend(map[string]string{"path": dir}, logger)
	if err != nil {
		return nil, "", err
	}
	staging := dir + ".staging"
	return crashSafe{storage.(*file.FileBackend), dir, staging}, "file", os.MkdirAll(staging, 0o700)
}

// crashSafe is Vault's file storage, of which a write that a kill cut off leaves nothing. Vault's own leaves a
// temporary file among the entries, takes that for one ever after, and answers a list of their folder with 500.
type crashSafe struct {
	*file.FileBackend
	dir, staging string
}

var _ physical.PseudoTransactional = crashSafe{}

// Put implements physical.Backend.
func (c crashSafe) Put(ctx context.Context, entry *physical.Entry) error {
	c.Lock()
	defer c.Unlock()
	return c.PutInternal(ctx, entry)
}

// PutInternal implements physical.PseudoTransactional.
func (c crashSafe) PutInternal(ctx context.Context, entry *physical.Entry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	text, err := json.Marshal(struct{ Value []byte }{entry.Value})
	if err != nil {
		return err
	}
	parent, name := filepath.Split(filepath.Join(c.dir, filepath.FromSlash(entry.Key)))
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return err
	}
	staged, err := os.CreateTemp(c.staging, "")
	if err != nil {
		return err
	}
	_, err = staged.Write(text)
	if err = errors.Join(err, staged.Close()); err != nil {
		return err
	}
	return os.Rename(staged.Name(), filepath.Join(parent, "_"+name)) // "_" tells an entry from a folder
}
