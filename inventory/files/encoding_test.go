package files

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEncodings: a byte order mark is no part of a text, and UTF-16 is an error of that name.
func TestEncodings(t *testing.T) {
	for sentence, tt := range map[string]struct {
		text, want string
		err        error
	}{
		"UTF-8":                            {"kind: Config", "kind: Config", nil},
		"UTF-8 with a byte order mark":     {"\ufeffkind: Config", "kind: Config", nil},
		"a byte order mark alone":          {"\ufeff", "", nil},
		"one that is not at the beginning": {"a\ufeff", "a\ufeff", nil},
		"one byte":                         {"a", "a", nil},
		"nothing":                          {"", "", nil},
		"UTF-16 of PowerShell":             {"\xff\xfek\x00", "", ErrUTF16},
		"UTF-16 in the other order":        {"\xfe\xff\x00k", "", ErrUTF16},
		"UTF-16 without a mark":            {"k\x00i\x00", "", ErrUTF16},
		"the other order without a mark":   {"\x00k\x00i", "", ErrUTF16},
	} {
		name := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(name, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := Read(name, 100); string(got) != tt.want || !errors.Is(err, tt.err) || tt.err == nil && err != nil {
			t.Errorf("%s: %q, %v", sentence, got, err)
		} else if err != nil && !strings.HasSuffix(err.Error(), "in UTF-16: save it as UTF-8") {
			t.Errorf("%s: %v", sentence, err)
		}
	}
}
