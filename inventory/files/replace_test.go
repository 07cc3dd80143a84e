package files

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestReplace: the file has the new text and nobody else can read it, or it is as it was. Nothing else is left.
func TestReplace(t *testing.T) {
	ended, end := context.WithCancelCause(t.Context())
	interrupted, failed := errors.New("interrupted"), errors.New("failed")
	end(interrupted)
	write := func(w io.Writer) error { _, err := io.WriteString(w, "new"); return err }
	for sentence, tt := range map[string]struct {
		ctx  context.Context
		fill func(io.Writer) error
		err  error
		text string
	}{
		"a new text":      {t.Context(), write, nil, "new"},
		"an interruption": {ended, write, interrupted, "old"},
		"half a text":     {t.Context(), func(w io.Writer) error { return errors.Join(write(w), failed) }, failed, "old"},
	} {
		t.Run(sentence, func(t *testing.T) {
			dir := t.TempDir()
			name := filepath.Join(dir, "file")
			if err := os.WriteFile(name, []byte("old"), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := Replace(tt.ctx, name, tt.fill); !errors.Is(err, tt.err) {
				t.Errorf("error %v", err)
			}
			text, err := os.ReadFile(name)
			if err != nil || string(text) != tt.text {
				t.Errorf("%q, %v", text, err)
			}
			if info, err := os.Stat(name); err != nil || tt.err == nil && info.Mode() != 0o600 {
				t.Errorf("%v, %v", info.Mode(), err)
			}
			if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
				t.Errorf("%v, %v", entries, err)
			}
		})
	}
}

// withoutModes is the description of a file on a file system that gives every file the same mode.
type withoutModes struct{ fs.FileInfo }

func (withoutModes) Mode() fs.FileMode { return 0o777 }

// TestCheckPrivate: a file system without permissions is told from others, and nothing is left.
func TestCheckPrivate(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "file")
	if err := os.WriteFile(name, nil, 0o777); err != nil { // its own mode does not count
		t.Fatal(err)
	}
	if err := CheckPrivate(name); err != nil {
		t.Error(err)
	}
	exposing := func(f *os.File) (fs.FileInfo, error) {
		info, err := f.Stat()
		return withoutModes{info}, err
	}
	if err := checkPrivate(name, exposing); !errors.Is(err, ErrNoModes) {
		t.Errorf("without modes: %v", err)
	}
	if err := CheckPrivate(filepath.Join(dir, "none", "file")); err == nil || errors.Is(err, ErrNoModes) {
		t.Errorf("without a folder: %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
}

// TestCheckReplace: it tells before the work whether the file can be replaced, and leaves nothing.
func TestCheckReplace(t *testing.T) {
	dir := t.TempDir()
	if err := CheckReplace(filepath.Join(dir, "file")); err != nil {
		t.Error(err)
	}
	if err := CheckReplace(filepath.Join(dir, "none", "file")); err == nil {
		t.Error("a folder that does not exist")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("%v, %v", entries, err)
	}
}
