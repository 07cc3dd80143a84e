package files

import (
	"context"
	"errors"
	"os"
)

// Overwrite writes a text over a file in its place, for a file that cannot be replaced, such as one that is mounted alone. Nobody
// else can read the file afterwards, or it fails with ErrNoModes before it writes; with exposed set it writes all the same. A
// failure may leave a part of the text.
func Overwrite(ctx context.Context, name string, text []byte, exposed bool) error {
	return overwrite(ctx, name, text, exposed, (*os.File).Stat)
}

func overwrite(ctx context.Context, name string, text []byte, exposed bool, stat statFunc) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	file, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if err = errors.Join(file.Chmod(0o600), stat.private(file)); err == nil || exposed {
		_, err = file.WriteAt(text, 0)
		if err == nil {
			err = errors.Join(file.Truncate(int64(len(text))), file.Sync())
		}
	}
	return errors.Join(err, file.Close())
}
