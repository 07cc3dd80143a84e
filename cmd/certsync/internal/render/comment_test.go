package render

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	tables "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
)

// parsedComment is what a Markdown parser makes of a plan's comment.
type parsedComment struct {
	marker  string
	paras   []string   // paragraphs and headings
	first   []string   // the list at the top
	table   [][]string // without the head
	fences  []string
	details map[string][]string // the lists below each summary
}

// ourWords matches the only text that may stand outside of code. It holds no markup, mention, link or command.
var ourWords = regexp.MustCompile(`^[A-Za-z0-9 .,;:()%'+?…-]*$`)

// readComment parses a comment as GitHub does. The test fails if the comment holds anything that PlanMarkdown does not write.
func readComment(t testing.TB, source []byte) parsedComment {
	t.Helper()
	if n := utf8.RuneCount(source); n > commentLimit || !utf8.Valid(source) {
		t.Errorf("%d characters, or no UTF-8", n)
	}
	for _, line := range strings.Split(string(source), "\n") {
		if i := strings.IndexFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 || strings.HasPrefix(line, "/") {
			t.Errorf("a line that does something: %q", line)
		}
	}
	doc := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(source))
	c := parsedComment{details: map[string][]string{}}
	open := ""
	for n := doc.FirstChild(); n != nil; n = n.NextSibling() {
		switch n := n.(type) {
		case *ast.HTMLBlock:
			open = c.html(t, open, string(n.Lines().Value(source))+string(closing(n, source)))
		case *ast.Paragraph, *ast.Heading:
			c.paras = append(c.paras, words(t, n, source))
		case *ast.FencedCodeBlock:
			c.fences = append(c.fences, string(n.Lines().Value(source)))
		case *ast.List:
			for item := n.FirstChild(); item != nil; item = item.NextSibling() {
				if open == "" {
					c.first = append(c.first, words(t, item.FirstChild(), source))
				} else {
					c.details[open] = append(c.details[open], words(t, item.FirstChild(), source))
				}
				if item.ChildCount() != 1 {
					t.Errorf("an item with %d blocks", item.ChildCount())
				}
			}
		case *tables.Table:
			for r := n.FirstChild().NextSibling(); r != nil; r = r.NextSibling() {
				var row []string
				for cell := r.FirstChild(); cell != nil; cell = cell.NextSibling() {
					row = append(row, words(t, cell, source))
				}
				c.table = append(c.table, row)
			}
		default:
			t.Errorf("a %s at the top", n.Kind())
		}
	}
	if open != "" {
		t.Errorf("%q is not closed", open)
	}
	return c
}

func closing(n *ast.HTMLBlock, source []byte) []byte {
	if !n.HasClosure() {
		return nil
	}
	return n.ClosureLine.Value(source)
}

var (
	markerForm = regexp.MustCompile(`^<!-- certsync plan: ([a-z0-9-]+|several clusters) -->\n$`)
	openForm   = regexp.MustCompile(`^<details>\n<summary>([A-Za-z ]+): ([0-9,]+)</summary>\n$`)
)

// html checks the comment's own HTML, and returns the title of the details that it opens, or "".
func (c *parsedComment) html(t testing.TB, open, html string) string {
	t.Helper()
	summary := openForm.FindStringSubmatch(html)
	switch {
	case open == "" && c.marker == "" && markerForm.MatchString(html):
		c.marker = strings.TrimSpace(html)
	case open == "" && summary != nil:
		c.details[summary[1]] = []string{}
		return summary[1]
	case open != "" && html == "</details>\n":
	default:
		t.Errorf("HTML that nobody wrote, in %q: %q", open, html)
	}
	return ""
}

// words returns the text of a block, which is certsync's own words, bold or not, and code.
func words(t testing.TB, block ast.Node, source []byte) string {
	t.Helper()
	var b strings.Builder
	err := ast.Walk(block, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Paragraph, *ast.TextBlock, *ast.Heading, *tables.TableCell:
		case *ast.Emphasis:
			if n.Level != 2 {
				t.Errorf("emphasis in %q", source)
			}
		case *ast.CodeSpan:
			for part := n.FirstChild(); part != nil; part = part.NextSibling() {
				b.Write(part.(*ast.Text).Value(source))
			}
			return ast.WalkSkipChildren, nil
		case *ast.Text:
			value := string(n.Value(source))
			if !ourWords.MatchString(value) || n.SoftLineBreak() || n.HardLineBreak() {
				return ast.WalkStop, fmt.Errorf("outside of code: %q", value)
			}
			b.WriteString(value)
		default:
			return ast.WalkStop, fmt.Errorf("a %s: %.200s", n.Kind(), source)
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		t.Error(err)
	}
	return b.String()
}
