package reconcile_test

import (
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// unknown stands in a text for what only a run knows.
const unknown = "…"

// texts finds the texts that expressions of one package can have, as far as the source says them.
type texts struct {
	values map[string]ast.Expr        // by name, constants and variables of the package; by package.name, those of the others
	funcs  map[string][]*ast.FuncDecl // by name
	within ast.Node                   // the declaration that the expression stands in
	deep   int                        // how many names were followed to get here
}

var formatVerb = regexp.MustCompile(`%[-+# 0]*[0-9.*]*(?:\[[0-9]+\])?[a-zA-Z%]`)

// format is a format with unknown in place of its verbs.
func format(text string) string {
	return formatVerb.ReplaceAllStringFunc(text, func(v string) string {
		switch v[len(v)-1] {
		case '%':
			return "%"
		case 'q':
			return `"` + unknown + `"`
		}
		return unknown
	})
}

// of returns what an expression can be, with unknown for what the source does not say.
func (t texts) of(e ast.Expr) []string {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return t.of(e.X)
	case *ast.BasicLit:
		if text, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
			return []string{text}
		}
	case *ast.BinaryExpr:
		if e.Op == token.ADD {
			return t.sum(e)
		}
	case *ast.CallExpr:
		return t.call(e)
	case *ast.Ident:
		return t.name(e.Name)
	case *ast.SelectorExpr:
		if pkg, ok := e.X.(*ast.Ident); ok {
			if value := t.values[pkg.Name+"."+e.Sel.Name]; value != nil {
				return t.follow(value, nil)
			}
		}
	}
	return []string{unknown}
}

func (t texts) sum(e *ast.BinaryExpr) (all []string) {
	for _, x := range t.of(e.X) {
		for _, y := range t.of(e.Y) {
			all = append(all, x+y)
		}
	}
	return all
}

// follow is of, for an expression elsewhere. It goes through three names, so that it ends.
func (t texts) follow(e ast.Expr, within ast.Node) []string {
	if t.deep == 3 {
		return []string{unknown}
	}
	t.deep, t.within = t.deep+1, within
	return t.of(e)
}

func (t texts) call(e *ast.CallExpr) []string {
	var name string
	switch f := e.Fun.(type) {
	case *ast.Ident:
		name = f.Name
	case *ast.SelectorExpr:
		name = f.Sel.Name
		if slices.Contains([]string{"Sprintf", "Errorf", "New"}, name) && len(e.Args) > 0 {
			found := t.of(e.Args[0])
			for i := range found {
				if name != "New" {
					found[i] = format(found[i])
				}
			}
			return found
		}
	}
	var all []string
	if name == "Error" || name == "String" {
		return []string{unknown}
	}
	for _, f := range t.funcs[name] {
		if r := f.Type.Results; r == nil || len(r.List) != 1 || f.Body == nil {
			continue
		} else if kind, ok := r.List[0].Type.(*ast.Ident); !ok || kind.Name != "string" {
			continue
		}
		ast.Inspect(f.Body, func(n ast.Node) bool {
			if r, ok := n.(*ast.ReturnStmt); ok {
				all = append(all, t.follow(r.Results[0], f)...)
			}
			return true
		})
	}
	return orUnknown(all)
}

// name returns what a variable or a constant can be: all that its function, or its package, assigns to it.
func (t texts) name(name string) (all []string) {
	take := func(names []ast.Expr, values []ast.Expr) {
		for i, n := range names {
			if id, ok := n.(*ast.Ident); ok && id.Name == name && len(names) == len(values) {
				all = append(all, t.follow(values[i], t.within)...)
			}
		}
	}
	if t.within != nil {
		ast.Inspect(t.within, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				if n.Tok == token.ASSIGN || n.Tok == token.DEFINE {
					take(n.Lhs, n.Rhs)
				}
			case *ast.ValueSpec:
				names := make([]ast.Expr, len(n.Names))
				for i, id := range n.Names {
					names[i] = id
				}
				take(names, n.Values)
			}
			return true
		})
	}
	if value := t.values[name]; len(all) == 0 && value != nil {
		return t.follow(value, nil)
	}
	return orUnknown(all)
}

// orUnknown drops what says nothing where something else says more.
func orUnknown(all []string) []string {
	said := slices.DeleteFunc(slices.Clone(all), func(text string) bool { return wordsIn(text) == 0 })
	if len(said) == 0 {
		return []string{unknown}
	}
	return slices.Compact(said)
}

var word = regexp.MustCompile(`[A-Za-z][A-Za-z'-]+`)

// wordsIn counts the words of a text that the source says.
func wordsIn(text string) int { return len(word.FindAllString(text, -1)) }

// alike reports whether texts begin with the same four words: then they differ in what stands behind.
func alike(all []string) bool {
	for _, text := range all {
		if !strings.HasPrefix(text, strings.Join(strings.SplitAfterN(all[0], " ", 5)[:min(4, len(strings.Fields(all[0])))], "")) {
			return false
		}
	}
	return true
}

// maxShown is how many bytes of a text a table shows.
const maxShown = 140

// shown is a text as a table shows it.
func shown(text string) string {
	text = strings.Join(strings.Fields(strings.ReplaceAll(text, "$1", unknown)), " ")
	if len(text) > maxShown {
		text = text[:strings.LastIndexByte(text[:maxShown], ' ')] + " " + unknown
	}
	text = regexp.MustCompile(unknown+`(?:[ :;,]*`+unknown+`)+`).ReplaceAllString(text, unknown)
	text = strings.ReplaceAll(text, "|", `\|`)
	if strings.Contains(text, "`") {
		return "`` " + text + " ``" // Markdown drops the two blanks
	}
	return "`" + text + "`"
}
