package reconcile_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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

// arrows is the whole graph of imports: for each package of the module all that it imports of the module, and the other
// modules that it may use. Imports point inwards, and the inner packages know neither Kubernetes nor Vault.
var arrows = map[string]struct{ module, others []string }{
	"inventory":            {[]string{"inventory/clusters", "inventory/files", "inventory/jsonschema", "inventory/selector", "inventory/shape", "inventory/strict", "inventory/texts", "inventory/userkey"}, nil},
	"inventory/clusters":   {[]string{"inventory/strict"}, nil},
	"inventory/files":      {nil, nil},
	"inventory/jsonschema": {nil, nil},
	"inventory/selector":   {[]string{"inventory/strict"}, nil},
	"inventory/shape":      {[]string{"inventory/clusters", "inventory/jsonschema", "inventory/selector", "inventory/texts", "inventory/userkey"}, nil},
	"inventory/shell":      {nil, nil},
	"inventory/strict":     {nil, []string{"sigs.k8s.io/yaml"}},
	"inventory/texts":      {[]string{"inventory/strict"}, nil},
	"inventory/userkey":    {[]string{"inventory/shell"}, nil},
	"reconcile":            {[]string{"inventory", "inventory/userkey"}, nil},

	"reconcile/access":     {[]string{"reconcile"}, nil},
	"reconcile/endpoint":   {[]string{"inventory", "reconcile"}, nil},
	"reconcile/granted":    {[]string{"inventory", "reconcile"}, nil},
	"reconcile/rights":     {[]string{"reconcile"}, nil},
	"reconcile/httplimit":  {[]string{"inventory"}, nil},
	"reconcile/pki":        {[]string{"inventory", "inventory/userkey", "reconcile"}, nil},
	"reconcile/plan":       {[]string{"inventory", "inventory/shell", "inventory/userkey", "reconcile", "reconcile/access", "reconcile/endpoint", "reconcile/granted", "reconcile/plan/index", "reconcile/refusal", "reconcile/rename", "reconcile/renewal", "reconcile/retention"}, nil},
	"reconcile/plan/index": {[]string{"inventory", "reconcile", "reconcile/access", "reconcile/endpoint", "reconcile/granted"}, nil},
	"reconcile/refusal":    {[]string{"inventory", "reconcile"}, nil},
	"reconcile/removals":   {[]string{"inventory", "inventory/shell", "reconcile", "reconcile/granted", "reconcile/refusal"}, nil},
	"reconcile/rename":     {[]string{"reconcile"}, nil},
	"reconcile/renewal":    {[]string{"inventory", "reconcile"}, nil},
	"reconcile/retention":  {[]string{"inventory", "reconcile"}, nil},
	"reconcile/revocation": {[]string{"reconcile", "reconcile/access", "reconcile/refusal"}, nil},
	"reconcile/usage":      {[]string{"reconcile"}, nil},

	"reconcile/apply":     {[]string{"inventory", "inventory/shell", "inventory/userkey", "reconcile", "reconcile/access", "reconcile/endpoint", "reconcile/pki", "reconcile/plan", "reconcile/removals", "reconcile/retention", "reconcile/revocation", "reconcile/rights"}, []string{"golang.org/x/sync/errgroup"}},
	"reconcile/export":    {[]string{"inventory", "reconcile", "reconcile/granted"}, nil},
	"reconcile/preflight": {[]string{"inventory", "inventory/userkey", "reconcile", "reconcile/access", "reconcile/endpoint", "reconcile/granted", "reconcile/pki", "reconcile/plan", "reconcile/plan/index", "reconcile/refusal", "reconcile/retention", "reconcile/rights"}, []string{"golang.org/x/sync/errgroup"}},
	"reconcile/report":    {[]string{"reconcile"}, nil},
	"reconcile/review":    {[]string{"inventory", "reconcile", "reconcile/access", "reconcile/plan/index", "reconcile/revocation", "reconcile/status", "reconcile/usage"}, nil},
	"reconcile/status":    {[]string{"inventory", "reconcile", "reconcile/access", "reconcile/granted", "reconcile/plan", "reconcile/plan/index"}, nil},

	"reconcile/kube": {[]string{"inventory", "inventory/files", "reconcile", "reconcile/access", "reconcile/kube/admission", "reconcile/kube/api", "reconcile/kube/csr", "reconcile/kube/lease", "reconcile/preflight"},
		[]string{"golang.org/x/sync/errgroup", "k8s.io/api", "k8s.io/apimachinery", "k8s.io/client-go"}},
	"reconcile/kube/admission":  {[]string{"reconcile", "reconcile/kube/api", "reconcile/kube/deploy", "reconcile/revocation"}, []string{"k8s.io/api", "k8s.io/apimachinery"}},
	"reconcile/kube/csr":        {[]string{"inventory", "inventory/shell", "reconcile", "reconcile/httplimit", "reconcile/kube/api", "reconcile/preflight"}, []string{"k8s.io/api", "k8s.io/apimachinery", "k8s.io/client-go"}},
	"reconcile/kube/lease":      {[]string{"inventory", "inventory/shell", "reconcile", "reconcile/kube/api", "reconcile/preflight", "reconcile/report", "reconcile/rights"}, []string{"k8s.io/api", "k8s.io/apimachinery"}},
	"reconcile/kube/api":        {[]string{"inventory", "reconcile", "reconcile/httplimit", "reconcile/preflight"}, []string{"k8s.io/apimachinery", "k8s.io/client-go", "k8s.io/klog"}},
	"reconcile/kube/kubeconfig": {[]string{"inventory", "inventory/files", "inventory/shell", "reconcile", "reconcile/pki"}, []string{"k8s.io/client-go/tools/clientcmd", "k8s.io/client-go/pkg/apis", "k8s.io/apimachinery", "sigs.k8s.io/yaml/goyaml.v3"}},
	"reconcile/kube/deploy":     {[]string{"inventory", "reconcile", "reconcile/access", "reconcile/revocation", "reconcile/rights"}, []string{"k8s.io/api", "k8s.io/apimachinery"}}, // no client: it sends nothing
	"vaultstore":                {[]string{"inventory", "inventory/files", "inventory/shell", "reconcile", "reconcile/httplimit", "reconcile/preflight", "reconcile/retention"}, []string{"github.com/hashicorp/vault/api"}},

	"cmd/certsync/internal/completion":  {nil, []string{"github.com/alecthomas/kong"}},
	"cmd/certsync/internal/credentials": {[]string{"cmd/certsync/internal/render", "inventory/files", "inventory/shell", "reconcile", "reconcile/kube/kubeconfig", "reconcile/pki", "vaultstore"}, []string{"golang.org/x/sync/errgroup"}},
	"cmd/certsync/internal/exit":        {nil, nil},
	"cmd/certsync/internal/flagvalue":   {[]string{"cmd/certsync/internal/starter", "inventory"}, nil},
	"cmd/certsync/internal/fleet":       {[]string{"cmd/certsync/internal/exit", "cmd/certsync/internal/render", "cmd/certsync/internal/reviewpage", "cmd/certsync/internal/terminal", "inventory", "reconcile", "reconcile/preflight", "reconcile/report", "reconcile/review", "reconcile/revocation", "reconcile/status"}, []string{"github.com/alecthomas/kong", "golang.org/x/sync/errgroup"}},
	"cmd/certsync/internal/invocation":  {nil, nil},
	"cmd/certsync/internal/issuing":     {[]string{"cmd/certsync/internal/credentials", "cmd/certsync/internal/render", "reconcile", "reconcile/kube", "reconcile/kube/csr", "reconcile/pki"}, nil},
	"cmd/certsync/internal/nextstep":    {[]string{"cmd/certsync/internal/render"}, []string{"github.com/alecthomas/kong"}},
	"cmd/certsync/internal/prompt":      {[]string{"cmd/certsync/internal/terminal"}, nil},
	"cmd/certsync/internal/pushgateway": {[]string{"reconcile", "reconcile/httplimit", "reconcile/report"}, []string{"github.com/prometheus"}},
	"cmd/certsync/internal/reportfile":  {[]string{"inventory/files", "reconcile", "reconcile/report"}, nil},
	"cmd/certsync/internal/reporting":   {[]string{"cmd/certsync/internal/exit", "cmd/certsync/internal/pushgateway", "cmd/certsync/internal/reportfile", "cmd/certsync/internal/terminal", "reconcile", "reconcile/kube", "reconcile/report"}, nil},
	"cmd/certsync/internal/variables":   {[]string{"reconcile"}, []string{"github.com/alecthomas/kong"}},
	"cmd/certsync/internal/vaultlogin":  {[]string{"cmd/certsync/internal/variables", "inventory", "inventory/files", "reconcile", "vaultstore"}, nil},
	"cmd/certsync/internal/starter":     {[]string{"cmd/certsync/internal/prompt", "cmd/certsync/internal/terminal", "inventory", "reconcile", "reconcile/kube", "vaultstore"}, []string{"sigs.k8s.io/yaml"}},
	"cmd/certsync/internal/reviewpage":  {[]string{"reconcile", "reconcile/access", "reconcile/review"}, nil},                                                                                                                      // pure
	"cmd/certsync/internal/generate":    {[]string{"cmd/certsync/internal/terminal", "inventory", "inventory/shell", "reconcile", "reconcile/export", "reconcile/removals", "reconcile/revocation"}, []string{"sigs.k8s.io/yaml"}}, // pure
	"cmd/certsync/internal/show":        {[]string{"cmd/certsync/internal/terminal", "reconcile", "reconcile/access", "reconcile/preflight", "reconcile/revocation", "reconcile/status"}, nil},                                     // pure
	"cmd/certsync/internal/terminal":    {[]string{"inventory"}, nil},                                                                                                                                                              // pure
	"cmd/certsync/internal/render":      {[]string{"cmd/certsync/internal/terminal", "inventory", "inventory/shell", "reconcile", "reconcile/access"}, nil},                                                                        // pure
	"cmd/certsync": {[]string{"cmd/certsync/internal/completion", "cmd/certsync/internal/credentials", "cmd/certsync/internal/exit", "cmd/certsync/internal/flagvalue", "cmd/certsync/internal/fleet", "cmd/certsync/internal/generate", "cmd/certsync/internal/invocation", "cmd/certsync/internal/issuing", "cmd/certsync/internal/nextstep", "cmd/certsync/internal/prompt", "cmd/certsync/internal/pushgateway", "cmd/certsync/internal/render", "cmd/certsync/internal/reporting", "cmd/certsync/internal/reviewpage", "cmd/certsync/internal/show", "cmd/certsync/internal/starter", "cmd/certsync/internal/terminal", "cmd/certsync/internal/variables", "cmd/certsync/internal/vaultlogin", "inventory", "inventory/files", "inventory/strict", "reconcile", "reconcile/apply", "reconcile/endpoint", "reconcile/export", "reconcile/kube", "reconcile/kube/csr", "reconcile/kube/deploy", "reconcile/kube/kubeconfig", "reconcile/kube/lease", "reconcile/pki", "reconcile/preflight", "reconcile/removals", "reconcile/report", "reconcile/review", "reconcile/revocation", "reconcile/status", "reconcile/usage", "vaultstore"},
		[]string{"github.com/alecthomas/kong", "golang.org/x/term"}},
}

// forTests are packages that tests share, and those of the tests on real servers, with what they import. No program imports them.
var forTests = map[string]struct{ module, others []string }{
	"cmd/certsync/internal/fixture": {[]string{"inventory", "inventory/userkey", "reconcile", "reconcile/access", "reconcile/plan", "reconcile/removals", "reconcile/revocation"}, []string{"github.com/google/go-cmp/cmp"}},
	"reconcile/kube/apitest":        {nil, []string{"k8s.io/api", "k8s.io/apimachinery", "k8s.io/client-go"}},
	"reconcile/reconciletest":       {[]string{"inventory", "inventory/userkey", "reconcile", "reconcile/access", "reconcile/apply", "reconcile/pki"}, []string{"github.com/google/go-cmp/cmp"}},
	"vaultstore/kvtest":             {nil, nil},
	"e2e/demo":                      {[]string{"e2e/harness", "inventory", "inventory/shell"}, nil},
	"e2e/fake":                      {[]string{"vaultstore/kvtest"}, []string{"github.com/prometheus/common", "k8s.io/api", "k8s.io/apimachinery", "k8s.io/client-go"}},
	"e2e/harness":                   {nil, nil},
}

// TestImportsPointInwards: each package imports what arrows or forTests says, no more and no less.
func TestImportsPointInwards(t *testing.T) {
	dirs := append(packages(t), folders(t, "e2e")...)
	for _, dir := range dirs {
		want, known := arrows[dir]
		if !known {
			want, known = forTests[dir]
		}
		if !known {
			t.Errorf("package %s is neither in arrows nor in forTests", dir)
			continue
		}
		inside, used := map[string]bool{}, map[string]bool{}
		for name, file := range goFiles(t, filepath.Join("..", dir)) {
			for _, spec := range file.Imports {
				path, _ := strconv.Unquote(spec.Path.Value)
				if own, ok := strings.CutPrefix(path, module); ok {
					inside[own] = true
				} else if i := slices.IndexFunc(want.others, func(tree string) bool { return within(path, tree) }); i >= 0 {
					used[want.others[i]] = true
				} else if !standard(path) {
					t.Errorf("%s imports %s", name, path)
				}
			}
		}
		if diff := cmp.Diff(want.module, slices.Sorted(maps.Keys(inside))); diff != "" {
			t.Errorf("%s imports (-want +got):\n%s", dir, diff)
		}
		for _, tree := range want.others {
			if !used[tree] {
				t.Errorf("%s imports nothing of %s", dir, tree)
			}
		}
	}
	for _, dir := range slices.Concat(slices.Collect(maps.Keys(arrows)), slices.Collect(maps.Keys(forTests))) {
		if !slices.Contains(dirs, dir) {
			t.Errorf("there is no package %s", dir)
		}
	}
}

// packages lists the folders of the program's packages: all but e2e, and the modules of their own.
func packages(t *testing.T) []string {
	t.Helper()
	return folders(t, "cmd/certsync", "inventory", "reconcile", "vaultstore")
}

// folders lists the folders with Go files that are not only tests. It leaves out modules of their own.
func folders(t *testing.T, trees ...string) []string {
	t.Helper()
	var dirs []string
	for _, tree := range trees {
		err := filepath.WalkDir(filepath.Join("..", tree), func(name string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.IsDir() {
				return err
			}
			if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil || entry.Name() == "testdata" {
				return fs.SkipDir
			}
			files, err := filepath.Glob(filepath.Join(name, "*.go"))
			if slices.ContainsFunc(files, func(file string) bool { return !strings.HasSuffix(file, "_test.go") }) {
				dirs = append(dirs, strings.TrimPrefix(filepath.ToSlash(name), "../"))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return dirs
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
