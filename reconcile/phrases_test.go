package reconcile_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// allPhrases lists the texts of the module by file, with the path from its root.
func allPhrases(t *testing.T) map[string][]phrase {
	all := map[string][]phrase{}
	walkTexts(t, func(path, text string) { all[path] = documentation(text) }, func(path string, file *ast.File) { all[path] = literals(file) })
	return all
}

// allComments lists the paragraphs of the comments in the module's Go files without tests, with the path from its root.
func allComments(t *testing.T) map[string][]string {
	all := map[string][]string{}
	walkTexts(t, func(string, string) {}, func(path string, file *ast.File) {
		for _, group := range file.Comments {
			all[path] = append(all[path], paragraphs(group.Text())...)
		}
	})
	return all
}

// paragraphs splits the text of a comment into paragraphs, items of lists and lines of tables, each on one line. Headings are no
// sentences, and left out.
func paragraphs(comment string) (all []string) {
	begins := true
	for line := range strings.Lines(comment) {
		text := strings.TrimSpace(line)
		if begins = begins || text == "" || startsItem.MatchString(line); text == "" || strings.HasPrefix(line, "# ") {
			continue
		}
		if begins {
			all = append(all, strings.TrimSpace(startsItem.ReplaceAllString(line, "")))
			begins = false
		} else {
			all[len(all)-1] += " " + text
		}
	}
	return all
}

// startsItem is the beginning of an item of a list, or of a line that gofmt leaves as it is.
var startsItem = regexp.MustCompile(`^(?: +(?:[-*+]|\d+[.)]) |\t)`)

// walkTexts calls document for each Markdown document of the module, and program for each Go file without tests, with the path from
// the module's root.
func walkTexts(t *testing.T, document func(path, text string), program func(string, *ast.File)) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && (name == "testdata" || name != ".." && name != ".github" && strings.HasPrefix(name, ".")):
			return fs.SkipDir
		case strings.HasSuffix(name, ".md"):
			text, err := os.ReadFile(path)
			document(path[3:], string(text))
			return err
		case strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go"):
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
			if err == nil {
				program(path[3:], file)
			}
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// documentation lists the paragraphs and list items of a Markdown document, without code blocks and tables.
func documentation(text string) (all []phrase) {
	fenced, paragraph := false, ""
	flush := func() {
		all = append(all, phrase{strings.TrimSpace(paragraph), guidance})
		paragraph = ""
	}
	item := regexp.MustCompile(`^([-*+]|\d+\.|>) `)
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSpace(line)
		if strings.HasPrefix(trimmed, "```") {
			fenced = !fenced
			flush()
			continue
		}
		if fenced || strings.HasPrefix(trimmed, "|") || strings.HasPrefix(trimmed, "<") {
			continue
		}
		if strings.HasPrefix(trimmed, "#") {
			flush()
			all = append(all, phrase{trimmed, heading})
			continue
		}
		if trimmed == "" || item.MatchString(trimmed) || strings.HasPrefix(line, "    ") && paragraph == "" {
			flush()
		}
		paragraph += " " + item.ReplaceAllString(trimmed, "")
	}
	flush()
	return slices.DeleteFunc(all, func(p phrase) bool { return p.text == "" })
}

// literals lists the strings of a Go file that have at least three words, and the help and doc tags. Hints and tags must have short
// sentences.
func literals(file *ast.File) (all []phrase) {
	hints := map[ast.Expr]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		markHints(n, hints)
		return true
	})
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.Field:
			if n.Tag == nil {
				break
			}
			tag, _ := strconv.Unquote(n.Tag.Value)
			for _, key := range []string{"help", "doc"} {
				all = append(all, phrase{reflect.StructTag(tag).Get(key), guidance})
			}
			n.Tag = nil // it is no other text
		case *ast.BinaryExpr, *ast.BasicLit:
			text := stringOf(n.(ast.Expr))
			if len(strings.Fields(text)) >= 3 && !layout.MatchString(text) {
				p := phrase{text, message}
				if hints[n.(ast.Expr)] {
					p.kind = guidance
				}
				all = append(all, p)
			}
			_, literal := n.(*ast.BasicLit)
			return !literal && text == ""
		}
		return true
	})
	return all
}

var aHint = regexp.MustCompile(`(?i)hint$`)

// markHints marks the strings that are hints: arguments of WithHint, values of what is called a hint, and what is returned by a
// function that is called so.
func markHints(n ast.Node, hints map[ast.Expr]bool) {
	mark := func(e ast.Expr) {
		ast.Inspect(e, func(n ast.Node) bool {
			if e, ok := n.(ast.Expr); ok {
				hints[e] = true
			}
			return true
		})
	}
	switch n := n.(type) {
	case *ast.CallExpr:
		if name := nameOf(n.Fun); name == "WithHint" && len(n.Args) == 2 {
			mark(n.Args[1])
		}
	case *ast.AssignStmt:
		for i, left := range n.Lhs {
			if aHint.MatchString(nameOf(left)) && i < len(n.Rhs) {
				mark(n.Rhs[i])
			}
		}
	case *ast.ValueSpec:
		for i, name := range n.Names {
			if aHint.MatchString(name.Name) && i < len(n.Values) {
				mark(n.Values[i])
			}
		}
	case *ast.FuncDecl:
		if !aHint.MatchString(n.Name.Name) || n.Body == nil {
			return
		}
		ast.Inspect(n.Body, func(n ast.Node) bool {
			if r, ok := n.(*ast.ReturnStmt); ok && len(r.Results) == 1 {
				mark(r.Results[0])
			}
			return true
		})
	}
}

func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// stringOf joins the literals of a sum; what is computed is one word. It is "" for what is no sum of strings.
func stringOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		if e.Kind != token.STRING || err != nil {
			return ""
		}
		return text
	case *ast.BinaryExpr:
		left, right := stringOf(e.X), stringOf(e.Y)
		if e.Op != token.ADD || left+right == "" {
			return ""
		}
		for part, operand := range map[*string]ast.Expr{&left: e.X, &right: e.Y} {
			if _, literal := operand.(*ast.BasicLit); *part == "" && !literal {
				*part = "%s"
			}
		}
		return left + right
	case *ast.ParenExpr:
		return stringOf(e.X)
	}
	return ""
}
