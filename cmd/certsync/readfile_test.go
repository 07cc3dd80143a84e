//go:build unix

package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/certsync/certsync/cmd/certsync/internal/credentials"
	"github.com/certsync/certsync/cmd/certsync/internal/vaultlogin"
	"github.com/certsync/certsync/inventory/files"
)

// TestFilesOfFlags: a file that a flag names is never waited for or read without end, and none of it is in an error.
func TestFilesOfFlags(t *testing.T) {
	dir := t.TempDir()
	pipe, large, zero := filepath.Join(dir, "pipe"), filepath.Join(dir, "large"), filepath.Join(dir, "zero")
	if err := errors.Join(syscall.Mkfifo(pipe, 0o600), os.WriteFile(large, []byte(strings.Repeat("hunter2", 64<<10)), 0o600), os.Symlink("/dev/zero", zero)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{pipe: files.ErrNotRegular, zero: files.ErrNotRegular, dir: files.ErrNotRegular, large: files.ErrTooLarge} {
		for flag, read := range map[string]func(string) ([]byte, error){
			"--vault-ca":   vaultlogin.ReadCA,
			"--client-key": credentials.ReadKeyFile,
		} {
			if _, err := read(path); !errors.Is(err, want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s %s: %v", flag, path, err)
			}
		}
	}
}
