package reconcile_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/certsync/certsync/"

// goFiles parses the Go files of a folder, without its tests.
func goFiles(t *testing.T, dir string) map[string]*ast.File {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]*ast.File{}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files[path] = file
	}
	if len(files) == 0 {
		t.Fatalf("no Go files in %s", dir)
	}
	return files
}

func within(path, tree string) bool { return path == tree || strings.HasPrefix(path, tree+"/") }

func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

// kubeImports allows inventory, reconcile, and these trees. reconcile/kube imports its children, never the other way round.
func kubeImports(trees ...string) func(path string) bool {
	return func(path string) bool {
		return path == module+"inventory" || path == module+"reconcile" ||
			slices.ContainsFunc(trees, func(tree string) bool { return within(path, tree) || within(path, module+tree) })
	}
}

// TestImportsPointInwards: cmd → {reconcile/kube, vaultstore} → reconcile → inventory, and the inner ones know neither
// Kubernetes nor Vault. Within cmd/certsync, main imports the internal packages, and they do not import each other.
func TestImportsPointInwards(t *testing.T) {
	allowed := map[string]func(path string) bool{
		"inventory": func(path string) bool {
			return path == "sigs.k8s.io/yaml" || strings.HasPrefix(path, "sigs.k8s.io/yaml/")
		},
		"reconcile":                 func(path string) bool { return path == module+"inventory" },
		"reconcile/httplimit":       func(path string) bool { return path == module+"inventory" },
		"reconcile/kube":            kubeImports("reconcile/kube/api", "reconcile/kube/csr", "reconcile/kube/lease", "k8s.io", "golang.org/x/sync/errgroup"),
		"reconcile/kube/csr":        kubeImports("reconcile/kube/api", "reconcile/httplimit", "k8s.io"),
		"reconcile/kube/lease":      kubeImports("reconcile/kube/api", "k8s.io"),
		"reconcile/kube/api":        kubeImports("reconcile/httplimit", "k8s.io"),
		"reconcile/kube/kubeconfig": kubeImports("k8s.io/client-go/tools/clientcmd", "k8s.io/client-go/pkg/apis", "k8s.io/apimachinery", "sigs.k8s.io/yaml/goyaml.v3"),
		"reconcile/kube/deploy":     kubeImports("k8s.io/api", "k8s.io/apimachinery"), // no client: it sends nothing
		"reconcile/kube/apitest":    func(path string) bool { return within(path, "k8s.io") },
		"vaultstore": func(path string) bool {
			return within(path, module+"inventory") || within(path, module+"reconcile/httplimit") || path == module+"reconcile" || within(path, "github.com/hashicorp/vault/api")
		},
		"cmd/certsync/internal/completion": func(path string) bool { return path == "github.com/alecthomas/kong" },
		"cmd/certsync/internal/credentials": func(path string) bool {
			return path == module+"inventory" || within(path, module+"reconcile") || path == module+"vaultstore"
		},
		// Pure: neither Kubernetes nor Vault.
		"cmd/certsync/internal/render": func(path string) bool {
			return path == module+"inventory" || path == module+"reconcile" || path == "sigs.k8s.io/yaml"
		},
	}
	for dir, ok := range allowed {
		for name, file := range goFiles(t, filepath.Join("..", dir)) {
			for _, spec := range file.Imports {
				if path, _ := strconv.Unquote(spec.Path.Value); !standard(path) && !ok(path) {
					t.Errorf("%s imports %s", name, path)
				}
			}
		}
	}
}

// TestNothingImportsCmd: only cmd/certsync imports its internal packages. What others need stands in a package of its own.
func TestNothingImportsCmd(t *testing.T) {
	err := filepath.WalkDir("..", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != ".." && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			inside := strings.HasPrefix(filepath.ToSlash(name), "../cmd/certsync/")
			if path, _ := strconv.Unquote(spec.Path.Value); within(path, module+"cmd") && !(inside && within(path, module+"cmd/certsync/internal")) {
				t.Errorf("%s imports %s", name, path)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestTop: nothing stands at the repository's top but what a reader expects there.
func TestTop(t *testing.T) {
	expected := []string{"LICENSE", "Makefile", "README.md", "cmd", "e2e", "examples", "go.mod", "go.sum", "inventory", "reconcile", "vaultstore"}
	for _, name := range top(t) {
		if !strings.HasPrefix(name, ".") && !slices.Contains(expected, name) {
			t.Errorf("%s is at the top", name)
		}
	}
}

// top is what git knows there; without git, what there is.
func top(t *testing.T) []string {
	var names []string
	if out, err := exec.Command("git", "-C", "..", "ls-files").Output(); err == nil && len(out) > 0 {
		for path := range strings.Lines(string(out)) {
			name, _, _ := strings.Cut(strings.TrimSuffix(path, "\n"), "/")
			names = append(names, name)
		}
		slices.Sort(names)
		return slices.Compact(names)
	}
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestDocumented: every exported name says what it is.
func TestDocumented(t *testing.T) {
	for _, dir := range []string{
		"inventory", "reconcile", "reconcile/httplimit", "reconcile/kube", "vaultstore",
		"cmd/certsync/internal/completion", "cmd/certsync/internal/credentials", "cmd/certsync/internal/render",
	} {
		documented := false
		for name, file := range goFiles(t, filepath.Join("..", dir)) {
			documented = documented || file.Doc != nil
			for _, decl := range file.Decls {
				for _, bare := range undocumented(decl) {
					t.Errorf("%s: %s has no comment", name, bare)
				}
			}
		}
		if !documented {
			t.Errorf("package %s has no comment", dir)
		}
	}
}

// undocumented lists the exported names of a declaration that have no comment. A group's comment is for all in it;
// Error, Unwrap and String are what they are everywhere.
func undocumented(decl ast.Decl) []string {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		universal := d.Recv != nil && slices.Contains([]string{"Error", "Unwrap", "String"}, d.Name.Name)
		if d.Name.IsExported() && receiverExported(d) && d.Doc == nil && !universal {
			return []string{d.Name.Name}
		}
	case *ast.GenDecl:
		var bare []string
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && d.Doc == nil && s.Doc == nil {
					bare = append(bare, s.Name.Name)
				}
			case *ast.ValueSpec:
				for _, name := range s.Names {
					if name.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
						bare = append(bare, name.Name)
					}
				}
			}
		}
		return bare
	}
	return nil
}

// receiverExported reports whether a method can be called from outside; a function always can.
func receiverExported(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	receiver := d.Recv.List[0].Type
	if star, ok := receiver.(*ast.StarExpr); ok {
		receiver = star.X
	}
	if generic, ok := receiver.(*ast.IndexExpr); ok {
		receiver = generic.X
	}
	name, ok := receiver.(*ast.Ident)
	return ok && name.IsExported()
}
