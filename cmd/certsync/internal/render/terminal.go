package render

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Palette colours text for a terminal; false leaves it as it is.
type Palette bool

func (c Palette) paint(code, s string) string {
	if !c {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (c Palette) green(s string) string  { return c.paint("32", s) }
func (c Palette) yellow(s string) string { return c.paint("33", s) }
func (c Palette) red(s string) string    { return c.paint("31", s) }
func (c Palette) bold(s string) string   { return c.paint("1", s) }
func (c Palette) plain(s string) string  { return s }

// clearLine moves a terminal's cursor to the start of its line and deletes the line.
const clearLine = "\r\x1b[K"

// Clean makes text safe for a terminal. Names in the cluster and messages of servers come from others. Control characters
// are shown as escapes. Every run of blanks is one blank, so that no text can look like a line of its own.
func Clean(s string) string {
	var b strings.Builder
	for _, r := range strings.Join(strings.FieldsFunc(s, isBlank), " ") {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

func isBlank(r rune) bool { return r == ' ' || r == '\n' || r == '\t' }

// quoteName returns a name in quotes, unless it can only be read as one name.
func quoteName(s string) string {
	if quoted := strconv.Quote(s); quoted != `"`+s+`"` || strings.ContainsAny(s, " ,") {
		return quoted
	}
	return s
}

// lineWidth is the width of every terminal, in characters.
const lineWidth = 80

// wrap breaks text into lines of at most lineWidth, if its words allow that. The first line begins with lead, the others
// with as many blanks.
func wrap(lead, text string) string {
	var b strings.Builder
	b.WriteString(lead)
	indent := strings.Repeat(" ", utf8.RuneCountInString(lead))
	column := len(indent)
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case column+1+utf8.RuneCountInString(word) > lineWidth:
			b.WriteString("\n" + indent)
			column = len(indent)
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += utf8.RuneCountInString(word)
	}
	b.WriteByte('\n')
	return b.String()
}

// plural is a number and its noun: 1 user, 2 users.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// groupBy groups items with the same key, in the order of the first item of each group.
func groupBy[T any](items []T, key func(T) string) [][]T {
	var groups [][]T
	index := map[string]int{}
	for _, item := range items {
		i, ok := index[key(item)]
		if !ok {
			i = len(groups)
			index[key(item)] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], item)
	}
	return groups
}
