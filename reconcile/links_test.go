package reconcile_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// The most words that a Markdown document has, and README.md.
const (
	documentWords = 1500
	readmeWords   = 1800
)

// documents are the Markdown documents of the repository for people, by their paths from its top.
func documents(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "testdata" || entry.Name() == ".git" || entry.Name() == ".build") {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".md" {
			return nil
		}
		text, err := os.ReadFile(path)
		found[filepath.ToSlash(strings.TrimPrefix(path, ".."+string(filepath.Separator)))] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 10 || found["README.md"] == "" {
		t.Fatalf("only %d documents", len(found))
	}
	return found
}

// TestDocumentsAreShort: nobody reads a long one.
func TestDocumentsAreShort(t *testing.T) {
	for path, text := range documents(t) {
		most := documentWords
		if path == "README.md" {
			most = readmeWords
		}
		if n := wordCount(text); n > most {
			t.Errorf("%s has %d words, and may have %d", path, n, most)
		}
	}
}

// wordCount counts the words of a document, without the bars of its tables.
func wordCount(text string) (n int) {
	for word := range strings.FieldsSeq(text) {
		if strings.ContainsFunc(word, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
			n++
		}
	}
	return n
}

// TestLinks: each relative link in a document leads to a file of the repository, and to a heading in it.
func TestLinks(t *testing.T) {
	all := documents(t)
	links := 0
	for path, text := range all {
		for _, target := range targets(text) {
			links++
			if err := follow(all, path, target); err != nil {
				t.Errorf("%s links to %s: %v", path, target, err)
			}
		}
	}
	if links < 50 {
		t.Errorf("only %d relative links", links)
	}
}

var (
	fenced      = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	codeSpan    = regexp.MustCompile("`[^`\n]*`")
	linkForm    = regexp.MustCompile(`\]\(([^)\s]+)\)|(?m:^\[[^\]]+\]: (\S+))|(?:src|srcset|href)="([^"]+)"`)
	headingForm = regexp.MustCompile(`(?m)^#{1,6} (.+)$`)
)

// targets are the relative links of a document.
func targets(text string) []string {
	var all []string
	for _, m := range linkForm.FindAllStringSubmatch(codeSpan.ReplaceAllString(fenced.ReplaceAllString(text, ""), "x"), -1) {
		if target := m[1] + m[2] + m[3]; !strings.Contains(target, ":") {
			all = append(all, target)
		}
	}
	return all
}

// follow says what is wrong with a relative link.
func follow(all map[string]string, from, target string) error {
	file, anchor, _ := strings.Cut(target, "#")
	path := from
	if file != "" {
		path = filepath.ToSlash(filepath.Join(filepath.Dir(from), file))
	}
	info, err := os.Stat(filepath.Join("..", path))
	switch {
	case strings.HasPrefix(path, "../"), filepath.IsAbs(file):
		return fmt.Errorf("%s is outside of the repository", path)
	case err != nil:
		return err
	case anchor == "":
		return nil
	case info.IsDir():
		path += "/README.md"
	}
	if !anchors(all[path])[anchor] {
		return fmt.Errorf("%s has no such heading", path)
	}
	return nil
}

// anchors are those of a document's headings, as GitHub makes them.
func anchors(text string) map[string]bool {
	found, times := map[string]bool{}, map[string]int{}
	for _, m := range headingForm.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		title := regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`).ReplaceAllString(m[1], "$1")
		slug := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, title)
		name := slug
		if n := times[slug]; n > 0 {
			name = fmt.Sprintf("%s-%d", slug, n)
		}
		times[slug]++
		found[name] = true
	}
	return found
}

// TestFollow: what follows links finds those that lead nowhere.
func TestFollow(t *testing.T) {
	all := map[string]string{
		"README.md":          "# One `two`, three\n## A\n## A\n```\n# No heading\n```\n",
		"reconcile/other.md": "",
	}
	for target, want := range map[string]bool{
		"#one-two-three": true, "#a": true, "#a-1": true, "#a-2": false, "#no-heading": false, "LICENSE": true, "LICENCE": false,
		"README.md#a": true, "../README.md": false, "/README.md": false, "examples": true,
	} {
		if err := follow(all, "README.md", target); (err == nil) != want {
			t.Errorf("%s: %v", target, err)
		}
	}
	text := "[a](b.md) `[c](d)` [e](https://example.com) ![f](g.svg)\n```\n[h](i)\n```\n<img src=\"j.svg\">\n[k]: l.md\n"
	if got := fmt.Sprint(targets(text)); got != "[b.md g.svg j.svg l.md]" {
		t.Error(got)
	}
}
