package reconcile_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// toPaste is text after which a value is part of a command that people paste, or of a flag in a sentence.
var toPaste = regexp.MustCompile(`((^|[\s"(:])` +
	`(kubectl (-|annotate|auth|certificate|config|delete|describe|get|patch)|vault (-|auth|kv|login|operator|policy|read|secrets|token|write)|openssl|chmod|rm)` +
	`([^",;?#]* )?(-?-[a-z-]+=)?|[\s"(:](--[a-z][a-z-]* |--?[a-z][a-z-]*=))$`)

// verb is one of fmt's, with the number of its argument if it names that.
var verb = regexp.MustCompile(`%(?:\[(\d+)\])?[+#]?[a-z]`)

// quoters make one word of a value: shell.Quote, and what calls it.
var quoters = []string{"Quote", "shell.Quote", "argument", "l.arguments"}

// safe are values that nobody but certsync chooses, or that hold what a quoter has returned.
var safe = []string{"useless.with", "string(p)", "m.kind", "generationAnnotation", "digest", "plan.Digest()"}

// TestCommandsAreQuoted: a value in a command that people paste goes through shell.Quote, in every package.
func TestCommandsAreQuoted(t *testing.T) {
	found := 0
	for _, dir := range packages(t) {
		for name, file := range goFiles(t, filepath.Join("..", dir)) {
			for _, value := range pasted(file) {
				text := types.ExprString(value)
				called := text
				if call, ok := value.(*ast.CallExpr); ok {
					called = types.ExprString(call.Fun)
				}
				if found++; !slices.Contains(quoters, called) && !slices.Contains(safe, text) {
					t.Errorf("%s: %s is pasted into a shell without shell.Quote", name, text)
				}
			}
		}
	}
	if found < 25 {
		t.Errorf("found only %d values", found)
	}
}

// pasted are the values in a file that stand behind toPaste: added to it, or formatted into it.
func pasted(file *ast.File) (values []ast.Expr) {
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			if n.Op == token.ADD && toPaste.MatchString(lastText(n.X)) && lastText(n.Y) == "" {
				values = append(values, n.Y)
			}
		case *ast.CallExpr:
			values = append(values, formatted(n)...)
			return !slices.Contains(quoters, types.ExprString(n.Fun))
		}
		return true
	})
	return values
}

// lastText is the literal with which an expression ends.
func lastText(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, _ := strconv.Unquote(e.Value)
		return text
	case *ast.BinaryExpr:
		text := lastText(e.Y)
		if _, literal := e.Y.(*ast.BasicLit); literal {
			text = lastText(e.X) + text
		}
		return text
	}
	return ""
}

// formatted are the arguments of a call with a format that are pasted.
func formatted(call *ast.CallExpr) (values []ast.Expr) {
	for i, arg := range call.Args {
		format := lastText(arg)
		if !strings.Contains(format, "%") {
			continue
		}
		for n, at := range verb.FindAllStringSubmatchIndex(format, -1) {
			if at[2] >= 0 {
				n, _ = strconv.Atoi(format[at[2]:at[3]])
				n--
			}
			// What was formatted before stands for one word.
			if before := verb.ReplaceAllString(format[:at[0]], "x"); toPaste.MatchString(before) && i+1+n < len(call.Args) {
				values = append(values, call.Args[i+1+n])
			}
		}
		break
	}
	return values
}

func TestPastedValuesAreFound(t *testing.T) {
	const source = `package p
func f() {
	a("run kubectl delete x " + one)
	b(fmt.Errorf("%w", err), "look: vault login -path=" + two + " now")
	c(fmt.Sprintf("kubectl get -n %s %s; or give --retry %s, or %q", three, four, five, no), no)
	d("nothing, " + no, fmt.Sprintf("ask %s", no))
	e(fmt.Sprintf("%s; ` + "`" + `%[1]s` + "`" + ` (vault kv get %[1]s)", six))
}`
	file, err := parser.ParseFile(token.NewFileSet(), "p.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, value := range pasted(file) {
		got = append(got, types.ExprString(value))
	}
	slices.Sort(got)
	if want := []string{"five", "four", "one", "six", "three", "two"}; !slices.Equal(got, want) {
		t.Error(got)
	}
}
