package main

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// maxPEMFile is the most that a file with a certificate or a key may hold.
const maxPEMFile = 64 << 10

// othersBits are the permissions of group and others.
const othersBits fs.FileMode = 0o077

// newCAIssuer reads the files of a CA.
func newCAIssuer(certFile, keyFile string) (*reconcile.CAIssuer, error) {
	cert, err := readPEMFile(certFile, nil)
	if err != nil {
		return nil, fmt.Errorf("--ca-cert: %w", err)
	}
	key, err := readPEMFile(keyFile, onlyOurs)
	if err != nil {
		return nil, fmt.Errorf("--ca-key: %w", err)
	}
	return reconcile.NewCAIssuer(cert, reconcile.NewSecret(key), time.Now)
}

// onlyOurs refuses a key that others can read: whoever has it is whoever they like. Windows keeps such rights elsewhere
// and reports 0666 of every file.
func onlyOurs(name string, info fs.FileInfo) error {
	if runtime.GOOS == "windows" || info.Mode()&othersBits == 0 {
		return nil
	}
	return reconcile.WithHint(fmt.Errorf("others can read %q, its permissions are %04o", name, info.Mode().Perm()),
		"chmod 600 "+inventory.ShellQuote(name))
}

// readPEMFile returns what a file holds that passes check (nil: any). No error repeats any of it.
func readPEMFile(name string, check func(name string, info fs.FileInfo) error) ([]byte, error) {
	data, err := inventory.ReadRegular(name, maxPEMFile, func(info fs.FileInfo) error {
		if check == nil {
			return nil
		}
		return check(name, info)
	})
	switch {
	case errors.Is(err, inventory.ErrNotRegular):
		err = reconcile.WithHint(err, "name a file that holds PEM")
	case errors.Is(err, inventory.ErrTooLarge):
		err = reconcile.WithHint(err, "name a file that holds one certificate or key")
	case errors.Is(err, fs.ErrNotExist):
		err = reconcile.WithHint(err, "name the file from here, or by its whole path")
	case errors.Is(err, fs.ErrPermission):
		err = reconcile.WithHint(err, "run certsync as the user whom the file belongs to")
	}
	return data, err
}
