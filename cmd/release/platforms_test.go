package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"
)

// TestPlatforms: certsync is right for the compiler on every system that there are archives for. It checks the types, from
// source, which takes seconds where compiling all that certsync is made of for another system takes minutes.
func TestPlatforms(t *testing.T) {
	systems := map[string]bool{}
	for _, platform := range archivePlatforms {
		systems[platform.OS] = platform.OS != runtime.GOOS // the other tests compile that
	}
	for system, unproven := range systems {
		if !unproven {
			continue
		}
		// A name that no system has shows that errors are found.
		stray := map[string][]byte{"stray.go": []byte("package main\n\nimport \"syscall\"\n\nvar _ = syscall.Nowhere\n")}
		if errors := typeErrors(t, system, stray); len(errors) != 1 || !strings.Contains(errors[0], "syscall.Nowhere") {
			t.Errorf("%s: %q", system, errors)
		}
	}
}

// typeErrors type-checks cmd/certsync, with more files in its folder, for an operating system.
func typeErrors(t *testing.T, system string, more map[string][]byte) []string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	overlay := map[string][]byte{}
	for name, content := range more {
		overlay[filepath.Join(root, "cmd", "certsync", name)] = content
	}
	loaded, err := packages.Load(&packages.Config{
		Mode: packages.NeedName | packages.NeedCompiledGoFiles | packages.NeedImports | packages.NeedDeps |
			packages.NeedTypes | packages.NeedSyntax | packages.NeedTypesSizes,
		Context: t.Context(),
		Dir:     root,
		Env:     append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "GOOS="+system, "GOARCH=amd64"),
		Overlay: overlay,
		ParseFile: func(files *token.FileSet, name string, source []byte) (*ast.File, error) {
			parsed, err := parser.ParseFile(files, name, source, parser.SkipObjectResolution)
			if err == nil && !strings.HasPrefix(name, root+string(filepath.Separator)) {
				withoutBodies(parsed)
			}
			return parsed, err
		},
	}, "./cmd/certsync")
	if err != nil {
		t.Fatal(err)
	}
	var errors []string
	ours := 0
	packages.Visit(loaded, nil, func(p *packages.Package) {
		if !strings.HasPrefix(p.PkgPath, "github.com/certsync/certsync/") {
			return
		}
		ours++
		for _, err := range p.Errors {
			errors = append(errors, err.Error())
		}
	})
	if ours < 5 {
		t.Errorf("%d packages of certsync's", ours)
	}
	return errors
}

// withoutBodies leaves of a module that others maintain what ours can see of it.
func withoutBodies(file *ast.File) {
	for _, declaration := range file.Decls {
		if function, ok := declaration.(*ast.FuncDecl); ok {
			function.Body = nil
		}
	}
}
