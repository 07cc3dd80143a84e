package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// The rules of the terminal: stdout is the product, stderr the talk. Colour and a moving bar are for terminals only, and
// NO_COLOR takes the colour away. What comes from elsewhere passes clean first.

// palette colours text, or does nothing.
type palette bool

// paletteFor follows https://no-color.org.
func paletteFor(f *os.File) palette { return palette(draws(f) && os.Getenv("NO_COLOR") == "") }

// draws reports whether f is a terminal that knows escape sequences, which Emacs's shell does not, and a console of
// Windows only if somebody has switched them on.
func draws(f *os.File) bool {
	return isTerminal(f) && os.Getenv("TERM") != "dumb" && runtime.GOOS != "windows"
}

// isTerminal reports whether somebody reads what is written to f, or can answer on it.
func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

func (c palette) paint(code, s string) string {
	if !c {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (c palette) green(s string) string  { return c.paint("32", s) }
func (c palette) yellow(s string) string { return c.paint("33", s) }
func (c palette) red(s string) string    { return c.paint("31", s) }
func (c palette) bold(s string) string   { return c.paint("1", s) }

// clean makes text from elsewhere (names in the cluster, messages of servers) safe for a terminal: control characters
// are shown, not obeyed, and nothing can fill a line with blanks to begin one of its own.
func clean(s string) string {
	var b strings.Builder
	for _, r := range strings.Join(strings.FieldsFunc(s, blank), " ") {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// name makes a name of the cluster safe to stand among others: in quotes, unless it can only be read as one.
func name(s string) string {
	if quoted := strconv.Quote(s); quoted != `"`+s+`"` || strings.ContainsAny(s, " ,") {
		return quoted
	}
	return s
}

func blank(r rune) bool { return r == ' ' || r == '\n' || r == '\t' }

// lineWidth is what every terminal has, and what people read without turning their heads.
const lineWidth = 80

// fill breaks text into lines that fit. The first begins with lead, the others with as many blanks.
func fill(lead, text string) string {
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
