package files

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestOverwrite: the file stays the same file with the new text, and nobody else can read it. Where that cannot be had, nothing is
// written, unless the text may be read.
func TestOverwrite(t *testing.T) {
	usual := (*os.File).Stat
	ended, end := context.WithCancel(t.Context())
	end()
	exposing := func(f *os.File) (fs.FileInfo, error) {
		info, err := f.Stat()
		return withoutModes{info}, err
	}
	for sentence, tt := range map[string]struct {
		ctx     context.Context
		text    string
		stat    func(*os.File) (fs.FileInfo, error)
		exposed bool
		err     error
	}{
		"a shorter text":              {t.Context(), "new", usual, false, nil},
		"a longer text":               {t.Context(), "a text that is new", usual, false, nil},
		"an interruption":             {ended, "new", usual, false, context.Canceled},
		"without modes":               {t.Context(), "new", exposing, false, ErrNoModes},
		"without modes and no secret": {t.Context(), "new", exposing, true, nil},
	} {
		t.Run(sentence, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(name, []byte("old text"), 0o644); err != nil {
				t.Fatal(err)
			}
			before, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			want := tt.text
			if tt.err != nil {
				want = "old text"
			}
			if err := overwrite(tt.ctx, name, []byte(tt.text), tt.exposed, tt.stat); !errors.Is(err, tt.err) {
				t.Errorf("error %v", err)
			}
			if got, err := os.ReadFile(name); err != nil || string(got) != want {
				t.Errorf("%q, %v", got, err)
			}
			if after, err := os.Stat(name); err != nil || !os.SameFile(before, after) || tt.err == nil && after.Mode() != 0o600 {
				t.Errorf("%v, %v", after, err)
			}
		})
	}
}
