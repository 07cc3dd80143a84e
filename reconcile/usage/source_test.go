package usage

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
)

func zipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// found is how many events and other lines a log holds.
type found struct{ Events, Requests, Invalid, TooLong int }

// TestForms: what Read takes for events in files of all forms.
func TestForms(t *testing.T) {
	one := made{user: "alice", code: 200}.line()
	bare := strings.TrimSuffix(one, "\n")
	list := `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[` + bare + "," + strings.Replace(bare, `"kind":"Event","apiVersion":"audit.k8s.io/v1",`, "", 1) + "]}\n"
	long := func(size int) string {
		return strings.Replace(one, `"level"`, `"requestObject":"`+strings.Repeat("x", size-len(bare)-len(`"requestObject":"",`))+`","level"`, 1)
	}
	for sentence, tt := range map[string]struct {
		text string
		want found
	}{
		"an empty file":                              {"", found{}},
		"one event":                                  {one, found{1, 1, 0, 0}},
		"no newline at the end":                      {one + bare, found{2, 2, 0, 0}},
		"a log that is being written":                {one + one[:len(one)/2], found{1, 1, 1, 0}},
		"blank lines and line ends of Windows":       {"\r\n\n" + bare + "\r\n \n", found{1, 1, 0, 0}},
		"other lines between":                        {"2026-11-30 AUDIT: id=1\n" + one + "{}\n" + `{"log":` + bare + "}\n", found{1, 1, 3, 0}},
		"zeros of a file system after a crash":       {one + strings.Repeat("\x00", 512) + "\n" + one, found{2, 2, 1, 0}},
		"an EventList":                               {list, found{2, 2, 0, 0}},
		"an EventList with things that are no event": {strings.Replace(list, `"items":[`, `"items":[7,{},`, 1), found{2, 2, 2, 0}},
		"gzip":                                  {zipped(t, one+one), found{2, 2, 0, 0}},
		"two files of gzip one after the other": {zipped(t, one+one[:100]) + zipped(t, one[100:]), found{2, 2, 0, 0}},
		"gzip of nothing":                       {zipped(t, ""), found{}},
		"a line of the greatest length":         {one + long(maxLine) + one, found{3, 3, 0, 0}},
		"a line that is longer by one byte":     {one + long(maxLine+1) + one, found{2, 2, 0, 1}},
		"a long line at the end":                {one + strings.TrimSuffix(long(maxLine+1), "\n"), found{1, 1, 0, 1}},
		"long lines one after the other":        {long(2*maxLine) + long(3*maxLine) + one, found{1, 1, 0, 2}},
		"many lines":                            {strings.Repeat(one, 3000), found{3000, 3000, 0, 0}},
	} {
		for how, wrap := range map[string]func(io.Reader) io.Reader{"at once": func(r io.Reader) io.Reader { return r }, "in pieces": iotest.HalfReader} {
			t.Run(sentence+", read "+how, func(t *testing.T) {
				l, err := Read(t.Context(), nil, Files([]string{"-"}, wrap(strings.NewReader(tt.text)))...)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.want, found{l.Events, l.Requests, l.Invalid, l.TooLong}); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

// TestGrowingLog: a log that grows while it is read ends where it ended first, and its last line is not cut in two.
func TestGrowingLog(t *testing.T) {
	one := made{user: "alice", code: 200}.line()
	l := lines{from: &growing{parts: []string{one + one[:100], one[100:]}}}
	text, err := l.next(nil)
	if string(text) != one+one[:100] || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	if text, err = l.next(text); len(text) > 0 || err != io.EOF {
		t.Errorf("%q, %v", text, err)
	}
}

// growing says io.EOF after each part.
type growing struct{ parts []string }

func (g *growing) Read(p []byte) (int, error) {
	if len(g.parts) == 0 {
		return 0, io.EOF
	}
	part := g.parts[0]
	g.parts = g.parts[1:]
	return copy(p, part), io.EOF
}

// TestRefused: a source that would make everybody look idle is an error that names it, with a hint.
func TestRefused(t *testing.T) {
	one := made{user: "alice", code: 200}.line()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const damaged, notALog, unreadable = "the compressed file is damaged or cut off", "pass the file that the API server's --audit-log-path names", "check the file's name"
	for sentence, tt := range map[string]struct{ name, err, hint string }{
		"a file that is not there":            {filepath.Join(dir, "none"), "no such file", unreadable},
		"a folder":                            {dir, "is a directory", unreadable},
		"the format that is not JSON":         {file("legacy", "2026-11-30T10:00:00Z AUDIT: id=\"1\" stage=\"ResponseComplete\"\n"), "it holds no event", notALog},
		"events inside of something else":     {file("wrapped", `{"log":`+strings.TrimSpace(one)+"}\n"), "it holds no event", notALog},
		"one line that is too long":           {file("long", strings.Repeat("x", maxLine+1)), "it holds no event", notALog},
		"another compression":                 {file("zstd", "\x28\xb5\x2f\xfd"+one), "it holds no event", notALog},
		"gzip that is cut off":                {file("cut", zipped(t, one)[:100]), "unexpected EOF", damaged},
		"gzip that is cut off at once":        {file("head", zipped(t, one)[:2]), "unexpected EOF", damaged},
		"gzip that was changed":               {file("changed", strings.Replace(zipped(t, one), zipped(t, one)[60:64], "\xff\xff\xff\xff", 1)), "", damaged},
		"gzip with something else at its end": {file("tail", zipped(t, one)+one), "invalid header", damaged},
	} {
		t.Run(sentence, func(t *testing.T) {
			good := file("good", one)
			l, err := Read(t.Context(), nil, Files([]string{good, tt.name, good}, nil)...)
			if err == nil {
				t.Fatalf("%+v", l)
			}
			if text := err.Error(); !strings.HasPrefix(text, "reading audit log ") || !strings.Contains(text, filepath.Base(tt.name)) || !strings.Contains(text, tt.err) {
				t.Error(err)
			}
			if hint := reconcile.Hint(err); !strings.HasPrefix(hint, tt.hint) {
				t.Errorf("hint: %s", hint)
			}
		})
	}
}
