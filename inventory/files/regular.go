package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// ErrNotRegular is the error for a folder, a pipe, a socket or a device where a file is expected.
var ErrNotRegular = errors.New("not a regular file")

// ErrTooLarge is the error for a file over the limit, which follows it: larger than 64 KiB.
var ErrTooLarge = errors.New("larger than")

// openFlag opens a file for reading. Without O_NONBLOCK, opening a pipe waits for a writer.
const openFlag = os.O_RDONLY | syscall.O_NONBLOCK

// Open opens a regular file for reading, and follows links. It never waits for a pipe or a device. Every error is
// an *fs.PathError, with ErrNotRegular for another kind of file.
func Open(name string) (*os.File, error) {
	file, err := os.OpenFile(name, openFlag, 0)
	if err != nil {
		return nil, err
	}
	if _, err := Info(file, name); err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

// Read returns the content of a regular file of at most limit bytes that passes the checks. A check gets the file
// that is read, not the one that had the name before. Errors name the file and repeat nothing of its content: those of
// Open and of the checks, and an *fs.PathError with ErrTooLarge.
func Read(name string, limit int, checks ...func(fs.FileInfo) error) ([]byte, error) {
	file, err := os.OpenFile(name, openFlag, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return ReadOpened(file, name, limit, checks...)
}

// maxCA is more bytes than the CA bundle of an operating system has.
const maxCA = 1 << 20

// ReadCA is Read for a file with the certificates of CAs, of at most 1 MiB.
func ReadCA(name string) ([]byte, error) { return Read(name, maxCA) }

// ReadOpened is Read for a file that is open already.
func ReadOpened(file fs.File, name string, limit int, checks ...func(fs.FileInfo) error) ([]byte, error) {
	info, err := Info(file, name)
	if err != nil {
		return nil, err
	}
	for _, check := range checks {
		if err := check(info); err != nil {
			return nil, err
		}
	}
	data, err := io.ReadAll(io.LimitReader(file, int64(limit)+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > limit:
		return nil, &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("%w %s", ErrTooLarge, Size(limit))}
	}
	return data, nil
}

// Info describes an open file, if it is a regular one.
func Info(file fs.File, name string) (fs.FileInfo, error) {
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: name, Err: ErrNotRegular}
	}
	return info, err
}

// Size writes a limit of whole KiB or MiB.
func Size(bytes int) string {
	if bytes%(1<<20) == 0 {
		return fmt.Sprintf("%d MiB", bytes>>20)
	}
	return fmt.Sprintf("%d KiB", bytes>>10)
}
