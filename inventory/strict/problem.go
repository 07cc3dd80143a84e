package strict

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Problem is one thing that is wrong with a document.
type Problem struct {
	File         string
	Line, Column int    // from 1; the column is 1 where it is not known
	Path         string // such as users[3].groups[0]; empty for the document as a whole
	Message      string
}

// String is the problem on one line: users.yaml:14:17: users[3].groups[0]: group "developres" is not declared
func (p Problem) String() string {
	place := fmt.Sprintf("%s:%d:%d: ", p.File, p.Line, p.Column)
	if p.Path != "" {
		place += p.Path + ": "
	}
	return printable(place + p.Message)
}

// Problems is all that is wrong with a document, in the order of the file; after that what is wrong with the documents that
// it leads to, in the order of their files. Of more than 100, the last one says how many more there are.
type Problems []Problem

// Error is one problem a line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}

func (p Problems) sort(root string) {
	file := func(p Problem) string {
		if p.File == root {
			return ""
		}
		return p.File
	}
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(file(a), file(b)), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// maxShown is how many characters of a value a message repeats.
const maxShown = 60

// Quote quotes what the user wrote, shortened, so that no escape sequence reaches a terminal and no pasted key a log.
func Quote(s string) string {
	if strings.Contains(s, "PRIVATE KEY") {
		return `"[redacted]"`
	}
	return strconv.Quote(shorten(s))
}

// shorten cuts by characters, for people. inventory.Shorten bounds the bytes of what servers say.
func shorten(s string) string {
	count := 0
	for i := range s {
		if count++; count > maxShown {
			return s[:i] + "…"
		}
	}
	return s
}

// printable escapes what a terminal would act upon. Messages quote their values already; this is for the name of the
// file and for whatever the YAML library says.
func printable(s string) string {
	if strings.IndexFunc(s, unprintable) < 0 && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if unprintable(r) {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }
