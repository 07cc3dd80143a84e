package files

import (
	"bytes"
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

// ErrUTF16 is the error for a text in UTF-16, as editors and shells of Windows write it.
var ErrUTF16 = errors.New("in UTF-16: save it as UTF-8")

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
// that is read, not the one that had the name before. The content is text: a byte order mark is left out. Errors name the
// file and repeat nothing of its content: those of Open and of the checks, and an *fs.PathError with ErrTooLarge or ErrUTF16.
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
	case isUTF16(data):
		return nil, &fs.PathError{Op: "read", Path: name, Err: ErrUTF16}
	}
	return bytes.TrimPrefix(data, []byte("\ufeff")), nil
}

// isUTF16 reports whether a text begins with the byte order mark of UTF-16, or with a character of ASCII in it.
func isUTF16(text []byte) bool {
	return len(text) > 1 && (text[0] == 0 || text[1] == 0) || bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff"))
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
