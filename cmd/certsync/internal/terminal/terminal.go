package terminal

import (
	"fmt"
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

// Green returns text in green.
func (c Palette) Green(s string) string { return c.paint("32", s) }

// Yellow returns text in yellow.
func (c Palette) Yellow(s string) string { return c.paint("33", s) }

// Red returns text in red.
func (c Palette) Red(s string) string { return c.paint("31", s) }

// Bold returns text in bold.
func (c Palette) Bold(s string) string { return c.paint("1", s) }

// Plain returns text as it is.
func (c Palette) Plain(s string) string { return s }

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

// LineWidth is the width of every terminal, in characters.
const LineWidth = 80

// Wrap breaks text into lines of at most LineWidth, if its words allow that. The first line begins with lead, the others
// with as many blanks.
func Wrap(lead, text string) string {
	var b strings.Builder
	b.WriteString(lead)
	indent := strings.Repeat(" ", utf8.RuneCountInString(lead))
	column := len(indent)
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case column+1+utf8.RuneCountInString(word) > LineWidth:
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

// WithSign wraps text behind a sign. The sign's colour has no width.
func WithSign(margin, sign, coloured, text string) string {
	return strings.Replace(Wrap(margin+sign+" ", text), sign, coloured, 1)
}

// ColumnGap is the blanks between two columns.
const ColumnGap = 2

// Padded fills text up to a width with blanks.
func Padded(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
}
