package reconcile_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A line is one of a table in examples/troubleshooting. Its key has the package, the declaration, the number of the place in it,
// and from 2 on the number of the text that this place can show. The key stays when the text is reworded. After a place was added
// or removed, see that the causes beside the later ones still fit.
type line struct{ key, text string }

// messages are all that examples/troubleshooting explains: each error with a hint, each warning of preflight, each refusal, and
// each kind of note. An error whose text and hint both come from elsewhere only wraps another one, and has no line.
func messages(t *testing.T) []line {
	t.Helper()
	values := map[string]ast.Expr{}
	parsed := map[string]map[string]*ast.File{}
	for _, dir := range packages(t) {
		if _, program := arrows[dir]; !program {
			continue
		}
		parsed[dir] = goFiles(t, filepath.Join("..", dir))
		for name, value := range valuesOf(parsed[dir]) {
			values[filepath.Base(dir)+"."+name] = value
		}
	}
	var all []line
	for _, dir := range slices.Sorted(maps.Keys(parsed)) {
		s := search{dir: dir, texts: texts{values: maps.Clone(values), funcs: map[string][]*ast.FuncDecl{}}, nth: map[string]int{}}
		maps.Copy(s.texts.values, valuesOf(parsed[dir]))
		for _, file := range inOrder(parsed[dir]) {
			for _, d := range file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok {
					s.texts.funcs[f.Name.Name] = append(s.texts.funcs[f.Name.Name], f)
				}
			}
		}
		for _, name := range slices.Sorted(maps.Keys(parsed[dir])) {
			for _, d := range parsed[dir][name].Decls {
				s.declaration(d, refuses(dir, filepath.Base(name), d))
			}
		}
		all = append(all, s.found...)
	}
	return append(all, kinds(parsed["reconcile"])...)
}

func inOrder(files map[string]*ast.File) []*ast.File {
	var all []*ast.File
	for _, name := range slices.Sorted(maps.Keys(files)) {
		all = append(all, files[name])
	}
	return all
}

// valuesOf are the constants and variables of a package.
func valuesOf(files map[string]*ast.File) map[string]ast.Expr {
	values := map[string]ast.Expr{}
	for _, file := range files {
		for _, d := range file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, s := range g.Specs {
				if v, ok := s.(*ast.ValueSpec); ok && len(v.Names) == len(v.Values) {
					for i, n := range v.Names {
						values[n.Name] = v.Values[i]
					}
				}
			}
		}
	}
	return values
}

// refusing are the declarations that make refusals, or hints, beside those of whole packages below.
var refusing = []string{
	"reconcile.FrontProxy.ForgeableByAll", "reconcile.FrontProxy.Impersonates", "reconcile.State.TooLarge",
	"reconcile/apply.Terms.refusals", "reconcile/kube/api.rejections", "reconcile/kube/api.RejectionOf",
}

// refuses reports whether every text of a declaration is a refusal. In a file of notes none is.
func refuses(dir, file string, d ast.Decl) bool {
	whole := slices.Contains([]string{"reconcile/plan", "reconcile/refusal", "reconcile/removals"}, dir)
	return whole && !strings.HasPrefix(file, "notes") || slices.Contains(refusing, dir+"."+declaredName(d))
}

// declaredName is the name of a declaration: of a method with its type's, of others that of the first thing declared.
func declaredName(d ast.Decl) string {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			return d.Name.Name
		}
		of := d.Recv.List[0].Type
		if star, ok := of.(*ast.StarExpr); ok {
			of = star.X
		}
		if generic, ok := of.(*ast.IndexExpr); ok {
			of = generic.X
		}
		return of.(*ast.Ident).Name + "." + d.Name.Name
	case *ast.GenDecl:
		if len(d.Specs) > 0 {
			if v, ok := d.Specs[0].(*ast.ValueSpec); ok {
				return v.Names[0].Name
			}
		}
	}
	return ""
}

// search finds the messages of one package.
type search struct {
	dir   string
	texts texts
	nth   map[string]int // by declaration, how many places of it are found
	found []line
}

// add adds the texts of one place in a declaration, without those that the declaration has already.
func (s *search) add(in string, texts ...string) {
	s.nth[in]++
	for i, text := range texts {
		if slices.ContainsFunc(s.found, func(m line) bool { return m.text == text && strings.HasPrefix(m.key, s.dir+"."+in+".") }) {
			continue
		}
		key := fmt.Sprintf("%s.%s.%d", s.dir, in, s.nth[in])
		if i > 0 {
			key += fmt.Sprintf(".%d", i+1)
		}
		s.found = append(s.found, line{key, text})
	}
}

// declaration finds the errors with a hint in a declaration, and its refusals; all of its texts are some if refuses says so.
func (s *search) declaration(d ast.Decl, refuses bool) {
	t := s.texts
	t.within = d
	in := declaredName(d)
	ast.Inspect(d, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		switch {
		case !ok:
		case called(call) == "WithHint" && len(call.Args) == 2, called(call) == "warning" && s.dir == "reconcile/preflight":
			s.hinted(t, in, call)
		case called(call) == "refuse":
			s.refusals(t, in, call)
		}
		if lit, ok := n.(*ast.CompositeLit); ok && typeOf(lit) == "Refused" && !refuses {
			s.refusals(t, in, lit)
		}
		return true
	})
	if refuses {
		s.refusals(t, in, d)
	}
}

// hinted adds an error or a warning with a hint: by its text, or by its hint where the text comes from elsewhere. Where the hint is one of
// several, each has a line.
func (s *search) hinted(t texts, in string, call *ast.CallExpr) {
	text := unknown
	if _, variable := call.Args[0].(*ast.Ident); !variable {
		text = shortest(t.of(call.Args[0]))
	}
	hints := slices.DeleteFunc(t.of(call.Args[1]), func(hint string) bool { return wordsIn(hint) < 2 })
	if len(hints) > 1 && alike(hints) {
		hints = hints[:1]
	}
	switch {
	case len(hints) > 1 && wordsIn(text) > 1:
		var all []string
		for _, hint := range hints {
			all = append(all, shown(text)+", "+shown("hint: "+hint))
		}
		s.add(in, all...)
	case wordsIn(text) > 1:
		s.add(in, shown(text))
	default:
		var all []string
		for _, hint := range hints {
			all = append(all, shown("hint: "+hint))
		}
		s.add(in, all...)
	}
}

// refusals adds the texts in a node, but for those of notes. A text has at least four words: less is a part of one.
func (s *search) refusals(t texts, in string, node ast.Node) {
	ast.Inspect(node, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.CompositeLit:
			return typeOf(n) != "Note"
		case *ast.AssignStmt:
			return !slices.ContainsFunc(n.Lhs, func(e ast.Expr) bool { return strings.EqualFold(lastName(e), "message") })
		case *ast.CallExpr:
			if slices.Contains([]string{"MustCompile", "panic", "WithHint"}, called(n)) || called(n) == "refuse" && n != node {
				return false
			}
			if called(n) != "Sprintf" && called(n) != "Errorf" && called(n) != "New" {
				if n == node && called(n) == "refuse" && len(n.Args) > 0 {
					s.add(in, refusal(t, n)...)
					return false
				}
				return true
			}
		case *ast.BasicLit:
		case *ast.BinaryExpr:
			if n.Op != token.ADD {
				return true
			}
		default:
			return true
		}
		text := format(shortest(t.of(n.(ast.Expr))))
		if wordsIn(text) < 4 || strings.HasPrefix(text, "kubectl ") || strings.HasPrefix(text, "{") {
			return true
		}
		s.add(in, shown(text))
		return false
	})
}

// refusal returns what a call of refuse says: a format, or a text behind "%s".
func refusal(t texts, call *ast.CallExpr) []string {
	text := format(shortest(t.of(call.Args[0])))
	if wordsIn(text) == 0 && len(call.Args) > 1 {
		all := t.of(call.Args[1])
		for i := range all {
			all[i] = shown(all[i])
		}
		return all
	}
	return []string{shown(text)}
}

func shortest(texts []string) string {
	return slices.MinFunc(texts, func(a, b string) int { return len(a) - len(b) })
}

func lastName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.ArrayType:
		return lastName(e.Elt)
	}
	return ""
}

func called(c *ast.CallExpr) string       { return lastName(c.Fun) }
func typeOf(lit *ast.CompositeLit) string { return lastName(lit.Type) }

// kinds are the kinds of notes.
func kinds(files map[string]*ast.File) (all []line) {
	for _, file := range inOrder(files) {
		ast.Inspect(file, func(n ast.Node) bool {
			if v, ok := n.(*ast.ValueSpec); ok && v.Type != nil && lastName(v.Type) == "NoteKind" {
				kind := texts{}.of(v.Values[0])[0]
				all = append(all, line{"note." + kind, shown(kind)})
			}
			return true
		})
	}
	return all
}
