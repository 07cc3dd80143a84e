package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// guides are the README and the guides, by their paths from the top.
func guides(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		name := entry.Name()
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (name == "testdata" || name == ".git" || name == ".build"):
			return filepath.SkipDir
		case entry.IsDir() || filepath.Ext(name) != ".md":
			return nil
		}
		text, err := os.ReadFile(path)
		found[filepath.ToSlash(path)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 10 {
		t.Fatalf("only %d documents", len(found))
	}
	return found
}

// TestDocumentedCommands: every certsync command in the documentation is one that certsync takes.
func TestDocumentedCommands(t *testing.T) {
	for path, text := range guides(t) {
		lines := documented(text)
		if !slices.ContainsFunc(lines, called.MatchString) {
			continue
		}
		t.Run(strings.TrimPrefix(path, "../../"), func(t *testing.T) {
			t.Parallel()
			tryExamples(t, lines)
		})
	}
}

var (
	fenced   = regexp.MustCompile("(?ms)^ *```(sh|console|bash)\n(.*?)^ *```$")
	unfenced = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	setOff   = regexp.MustCompile(`(?m)^ {4,}(\S.*)$`)
	// A call of certsync, or a variable that later calls need.
	documentedCall = regexp.MustCompile(`(?:^|[|&;(] ?|^\w+=\S* )certsync [a-z]|^export `)
)

// documented are the calls of certsync in a document, and the variables that it exports: in blocks for a shell, where a prompt tells a command from its output, and in
// indented lines.
func documented(text string) []string {
	var candidates []string
	for _, block := range fenced.FindAllStringSubmatch(text, -1) {
		body := strings.ReplaceAll(block[2], "\\\n", " ")
		prompts := strings.Contains("\n"+body, "\n$ ")
		for line := range strings.Lines(body) {
			line, prompt := strings.CutPrefix(strings.TrimSpace(line), "$ ")
			if prompt || !prompts {
				candidates = append(candidates, line)
			}
		}
	}
	for _, m := range setOff.FindAllStringSubmatch(unfenced.ReplaceAllString(text, ""), -1) {
		candidates = append(candidates, m[1])
	}
	var lines []string
	for _, line := range candidates {
		line, _, _ = strings.Cut(line, " #")
		if line = strings.NewReplacer("sha256:…", exampleDigest, " …", "").Replace(line); documentedCall.MatchString(line) {
			lines = append(lines, line)
		}
	}
	return lines
}
