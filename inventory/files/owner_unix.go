//go:build unix

package files

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// keepOwner gives a new file the owner and the group of another one, if that exists. Only root may give files away: for
// anybody else the file stays their own.
func keepOwner(file *os.File, like string) error {
	info, err := os.Stat(like)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	if err = file.Chown(int(owner.Uid), int(owner.Gid)); errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}
