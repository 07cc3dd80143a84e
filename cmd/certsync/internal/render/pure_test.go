package render_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestPure: this package and those beside it that make text import nothing that could read the machine or reach a server, and do not
// read the clock. Which of certsync's own packages they import is tested where all imports are.
func TestPure(t *testing.T) {
	allowed := []string{
		"bytes", "cmp", "crypto/sha256", "encoding/json", "fmt", "io", "maps", "math", "regexp", "slices", "strconv", "strings", "sync", "time", "unicode", "unicode/utf8",
		"sigs.k8s.io/yaml",
	}
	var paths []string
	for _, dir := range []string{".", "../generate", "../show", "../terminal"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", dir, len(files), err)
		}
		paths = append(paths, files...)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range file.Imports {
			if name, _ := strconv.Unquote(spec.Path.Value); !slices.Contains(allowed, name) && !strings.HasPrefix(name, "github.com/certsync/certsync/") {
				t.Errorf("%s imports %s", path, name)
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if pkg, ok := s.X.(*ast.Ident); ok && pkg.Name == "time" && slices.Contains([]string{"Now", "Since", "Until", "After", "Sleep"}, s.Sel.Name) {
					t.Errorf("%s calls time.%s", path, s.Sel.Name)
				}
			}
			return true
		})
	}
}
