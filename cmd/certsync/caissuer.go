package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"time"

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
		"chmod 600 "+reconcile.ShellQuote(name))
}

// readPEMFile returns what a file holds that passes check (nil: any). No error repeats any of it.
func readPEMFile(name string, check func(name string, info fs.FileInfo) error) ([]byte, error) {
	// Asked before it is opened: opening a pipe would wait for somebody to write.
	info, err := os.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		return nil, reconcile.WithHint(fmt.Errorf("%q is not a regular file", name), "name a file that holds PEM")
	}
	if err != nil {
		return nil, reconcile.WithHint(err, "name the file from here, or by its whole path")
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, reconcile.WithHint(err, "run certsync as the user whom the file belongs to")
	}
	defer file.Close()
	// Asked again, of what is open: under that name there may be another file by now.
	if info, err = file.Stat(); err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%q is not a regular file any more", name)
	}
	if check != nil {
		if err := check(name, info); err != nil {
			return nil, err
		}
	}
	data, err := io.ReadAll(io.LimitReader(file, maxPEMFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxPEMFile {
		return nil, reconcile.WithHint(errors.New("the file is larger than 64 KiB"), "name a file that holds one certificate or key")
	}
	return data, nil
}
