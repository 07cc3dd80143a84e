package files

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// Replace replaces a file by one that nobody else can read, with the text that fill writes. It does so as a whole or not
// at all: it writes a temporary file beside the file, and renames that. If ctx has ended before the renaming, the file stays as
// it is. A link is replaced too, not the file that it leads to.
func Replace(ctx context.Context, name string, fill func(io.Writer) error) error {
	return ReplaceLike(ctx, name, "", fill)
}

// ReplaceLike is Replace with the owner and the group of the file like, if that exists and certsync may give files away. So
// root, by sudo, does not take a user's file from them.
func ReplaceLike(ctx context.Context, name, like string, fill func(io.Writer) error) error {
	temporary, err := createTemporary(name)
	if err != nil {
		return err
	}
	if like != "" {
		err = keepOwner(temporary, like)
	}
	if err == nil {
		err = fill(temporary)
	}
	if err == nil {
		err = temporary.Sync() // a full disk may say so only now
	}
	if err = errors.Join(err, temporary.Close()); err == nil {
		err = context.Cause(ctx)
	}
	if err == nil {
		err = os.Rename(temporary.Name(), name)
	}
	if err != nil {
		_ = os.Remove(temporary.Name())
	}
	return err
}

// CheckReplace returns an error if Replace cannot write beside the file. It leaves nothing behind.
func CheckReplace(name string) error {
	temporary, err := createTemporary(name)
	if err != nil {
		return err
	}
	return errors.Join(temporary.Close(), os.Remove(temporary.Name()))
}

// ErrNoModes is the error for a file system that keeps no permissions, such as a drive of Windows or a USB stick: everybody on
// the machine can read each file there, and chmod changes nothing.
var ErrNoModes = errors.New("its file system keeps no permissions")

// CheckPrivate returns ErrNoModes if a file at name could be read by others whatever its mode is to be. It tries a new file
// beside it, and leaves nothing behind.
func CheckPrivate(name string) error { return checkPrivate(name, (*os.File).Stat) }

func checkPrivate(name string, stat statFunc) error {
	temporary, err := createTemporary(name)
	if err != nil {
		return err
	}
	return errors.Join(stat.private(temporary), temporary.Close(), os.Remove(temporary.Name()))
}

// statFunc describes an open file, as (*os.File).Stat does.
type statFunc func(*os.File) (fs.FileInfo, error)

// private returns ErrNoModes if others have a right to an open file that was made for its owner alone.
func (s statFunc) private(file *os.File) error {
	info, err := s(file)
	if err == nil && !IsPrivate(info) {
		err = ErrNoModes
	}
	return err
}

// IsPrivate reports whether nobody but the owner has any right to a file. On Windows it reports true for every file: Windows
// keeps permissions elsewhere, and reports 0666 for all.
func IsPrivate(info fs.FileInfo) bool {
	return runtime.GOOS == "windows" || info.Mode()&0o077 == 0
}

// createTemporary creates a file with mode 0600 and a new name in the folder of name.
func createTemporary(name string) (*os.File, error) {
	return os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
}
