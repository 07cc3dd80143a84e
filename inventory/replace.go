package inventory

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
)

// ReplaceFile replaces a file by one that nobody else can read, with the text that fill writes. The file is replaced as a
// whole or not at all: ReplaceFile writes a temporary file beside it, and renames that. It leaves the file as it is if ctx has
// ended before the renaming. A link is replaced too, not the file that it leads to.
func ReplaceFile(ctx context.Context, name string, fill func(io.Writer) error) error {
	temporary, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*") // mode 0600
	if err != nil {
		return err
	}
	if err = fill(temporary); err == nil {
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
