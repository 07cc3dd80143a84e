package reportfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// TestHalfAReport: when the disk is full, what was there stays, and no half of a report.
func TestHalfAReport(t *testing.T) {
	const before = `{"formatVersion":"1"}`
	path := filepath.Join(t.TempDir(), "report.json")
	if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	full := errors.New("no space left on device")
	err := File(path).replace(func(w io.Writer) error {
		_, _ = io.WriteString(w, `{"formatVersion":`)
		return full
	})
	text, _ := os.ReadFile(path)
	files, _ := os.ReadDir(filepath.Dir(path))
	if !errors.Is(err, full) || string(text) != before || len(files) != 1 {
		t.Errorf("%v, %q, %v", err, text, files)
	}
}
