// Package starter writes the inventory that certsync init begins with.
//
// Begin at Inventory, the content of the new file. Servers looks for a cluster and for Vault (servers.go), OwnerFor makes an
// owner of the cluster's name (owner.go), and Ask asks a person for fields that no flag gives (ask.go). Text is the YAML with its comments
// (text.go), and Write checks it and creates the file. No file is ever replaced.
package starter

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// CheckAbsent returns an error if a file or anything else has that name.
func CheckAbsent(file string) error {
	if _, err := os.Lstat(file); err == nil {
		return reconcile.WithHint(fmt.Errorf("%q already exists, and certsync init replaces no file", file), "name another file with -f FILE, or edit this one")
	}
	return nil
}

// Write checks the inventory as certsync validate does, and writes it to a new file. After an error, no file is left.
func (n Inventory) Write(file string) error {
	text := n.Text()
	if _, err := inventory.Parse(file, text, nil); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return cmp.Or(CheckAbsent(file), err)
	}
	if err == nil {
		_, err = f.Write(text)
		if err = cmp.Or(err, f.Close()); err != nil {
			_ = os.Remove(file)
		}
	}
	if err != nil {
		return reconcile.WithHint(fmt.Errorf("writing the inventory: %w", err),
			"check that the folder exists, that you may write there, and that the disk has room; nothing was written")
	}
	return nil
}

// SchemaBeside returns the path of the JSON Schema in the folder of the inventory, relative to it, or "".
func SchemaBeside(file string) string {
	for _, name := range []string{"schema/inventory.json", "users.schema.json"} {
		if info, err := os.Stat(filepath.Join(filepath.Dir(file), name)); err == nil && info.Mode().IsRegular() {
			return name
		}
	}
	return ""
}
