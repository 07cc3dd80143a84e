package credentials

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/certsync/certsync/inventory/files"
	"github.com/certsync/certsync/inventory/shell"
	"github.com/certsync/certsync/reconcile"
)

// maxPEMFile is the most bytes that a file with a certificate or a key may hold.
const maxPEMFile = 64 << 10

// ReadCertificateFile returns the content of a file with a certificate. Its errors have a hint.
func ReadCertificateFile(name string) ([]byte, error) { return readPEMFile(name) }

// ReadKeyFile returns the content of a file with a private key. It refuses a file that others have any right to. Its errors
// have a hint, and repeat nothing of the content.
func ReadKeyFile(name string) ([]byte, error) { return readKeyFile(name, files.CheckPrivate) }

// readKeyFile is ReadKeyFile with the check of whether the file system keeps permissions.
func readKeyFile(name string, checkPrivate func(string) error) ([]byte, error) {
	return readPEMFile(name, func(info fs.FileInfo) error {
		if files.IsPrivate(info) {
			return nil
		}
		hint := "chmod 600 " + shell.Quote(name)
		if errors.Is(checkPrivate(name), files.ErrNoModes) {
			hint = "chmod changes nothing on this file system: move the file to one that keeps permissions, such as that of your home folder"
		}
		return reconcile.WithHint(fmt.Errorf("others can read %q, its permissions are %04o", name, info.Mode().Perm()), hint)
	})
}

// readPEMFile returns the content of a file that passes the checks.
func readPEMFile(name string, checks ...func(fs.FileInfo) error) ([]byte, error) {
	data, err := files.Read(name, maxPEMFile, checks...)
	switch {
	case errors.Is(err, files.ErrNotRegular):
		err = reconcile.WithHint(err, "use a PEM file")
	case errors.Is(err, files.ErrTooLarge):
		err = reconcile.WithHint(err, "use a file with one certificate or key")
	case errors.Is(err, files.ErrUTF16):
		err = reconcile.WithHint(err, "iconv -f UTF-16 -t UTF-8 "+shell.Quote(name)+" > FILE")
	case errors.Is(err, fs.ErrNotExist):
		err = reconcile.WithHint(err, "use a path from the current folder, or an absolute path")
	case errors.Is(err, fs.ErrPermission):
		err = reconcile.WithHint(err, "run certsync as the owner of the file")
	}
	return data, err
}
