package kubeconfig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/certsync/certsync/inventory/files"
	"github.com/certsync/certsync/reconcile"
)

// replace keeps the old text of a file beside it, and then writes the new text. Each of the two is written as a whole or not
// at all, with the owner and group of the old file. secret says that the text holds a key that the old one may not hold. checkPrivate is files.CheckPrivate.
func (f userFiles) replace(ctx context.Context, name string, text []byte, secret bool, checkPrivate func(string) error) (backup string, err error) {
	target, err := filepath.EvalSymlinks(name) // a link stays one
	switch info, missing := os.Lstat(name); {
	case errors.Is(missing, fs.ErrNotExist):
		target = name
	case err != nil && missing == nil && info.Mode()&fs.ModeSymlink != 0:
		return "", errors.New("it is a link to a file that does not exist")
	case err != nil:
		return "", err
	}
	if secret && errors.Is(checkPrivate(target), files.ErrNoModes) {
		return "", errExposed
	}
	if old, ok := f.texts[name]; ok {
		backup = name + backupSuffix
		if err := writeWhole(ctx, backup, target, old); err != nil {
			return "", fmt.Errorf("keeping its old text: %w", err)
		}
	}
	err = writeWhole(ctx, target, target, text)
	// A file that is mounted alone, as into a container, cannot be replaced.
	if errors.Is(err, syscall.EBUSY) {
		if err = files.Overwrite(ctx, target, text, !secret); errors.Is(err, files.ErrNoModes) {
			err = errExposed
		} else if err != nil {
			err = reconcile.WithHint(err, "its old text is in "+backup+": restore it")
		}
	}
	return backup, err
}

// errExposed refuses to write a key where everybody on the machine could read it.
var errExposed = reconcile.WithHint(fmt.Errorf("it would hold your key, and %w", files.ErrNoModes),
	"use --exec, which writes no key; or name a file in your home folder with --kubeconfig FILE")

// writeWhole replaces a file by one with this text that nobody else can read, or leaves it as it is. The new file has the owner
// and group of the file like. After an interruption nothing has changed.
func writeWhole(ctx context.Context, target, like string, text []byte) error {
	return files.ReplaceLike(ctx, target, like, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
}

// elsewhere is the hint for a file that cannot be written.
const elsewhere = "you must be able to write to its folder; or merge into another file with --kubeconfig FILE"

// lockFiles takes the locks of kubeconfigs as kubectl does: it creates a file beside each, which must not exist. unlock is never
// nil.
func lockFiles(ctx context.Context, names []string) (unlock func(), err error) {
	var locks []string
	unlock = func() {
		for _, lock := range locks {
			_ = os.Remove(lock)
		}
	}
	for _, name := range names {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return unlock, reconcile.WithHint(fmt.Errorf("making the folder of the kubeconfig: %w", err), elsewhere)
		}
		lock := name + ".lock"
		if err := takeLock(ctx, lock); err != nil {
			return unlock, err
		}
		locks = append(locks, lock)
	}
	return unlock, nil
}

// takeLock creates a lock file, and waits while another process has it.
func takeLock(ctx context.Context, lock string) error {
	deadline := time.NewTimer(lockPatience)
	defer deadline.Stop()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		file, err := os.OpenFile(lock, os.O_CREATE|os.O_EXCL, 0)
		if err == nil {
			return file.Close()
		}
		if !errors.Is(err, fs.ErrExist) {
			return reconcile.WithHint(fmt.Errorf("locking the kubeconfig: %w", err), elsewhere)
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-deadline.C:
			return reconcile.WithHint(fmt.Errorf("locking the kubeconfig: another kubectl has had the lock %q for %s", lock, lockPatience),
				"if none is running, one was killed. Remove its lock: rm "+argument(lock))
		}
	}
}
