package shell

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// plainWord needs no quotes in any shell.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9._/:@+-][A-Za-z0-9._/:@+=-]*$`)

// Quote returns text as one word for sh, bash, zsh and fish, in quotes where it needs them. A shell gives that word
// back as it was, if it is Pasteable. Of other text nothing can be pasted: its word is the text in Go's quotes, with
// escapes for all that a terminal would not show.
func Quote(text string) string {
	if plainWord.MatchString(text) {
		return text
	}
	if !Pasteable(text) {
		text = strconv.Quote(text)
	}
	var b strings.Builder
	open := false // single quotes
	write := func(part string, quoted bool) {
		if open != quoted {
			b.WriteByte('\'')
			open = quoted
		}
		b.WriteString(part)
	}
	for i, r := range text {
		next := text[i+utf8.RuneLen(r):]
		switch {
		case r == '\'':
			write(`"'"`, false)
		// In fish, unlike in POSIX, a backslash in single quotes escapes another one, or the quote.
		case r == '\\' && (next == "" || next[0] == '\\' || next[0] == '\''):
			write(`"\\"`, false)
		default:
			write(string(r), true)
		}
	}
	if text == "" {
		return "''"
	}
	write("", false)
	return b.String()
}

// Pasteable reports whether text arrives in a shell as it was, when somebody copies it from a terminal, on which every
// run of blanks is one.
func Pasteable(text string) bool {
	return utf8.ValidString(text) && !strings.Contains(text, "  ") &&
		!strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}
