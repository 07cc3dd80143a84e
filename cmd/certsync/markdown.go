package main

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The rules of Markdown: what is not certsync's own words stands in code spans, cleaned as for a terminal. There is no
// markup in them, no mention that notifies somebody, no link, no number of an issue and no command, on GitHub and GitLab.

// spanned is how many characters of a name or a message are shown: more than any legal name of Kubernetes' has.
const spanned = 300

// code is a name in a code span.
func code(s string) string {
	if s = clip(clean(s), spanned); s == "" {
		return "(empty)"
	}
	return span(s)
}

// span is a code span between more backticks than follow each other in it.
func span(s string) string {
	s = manyBackticks.ReplaceAllStringFunc(s, func(run string) string { return strings.Repeat(`\u0060`, len(run)) })
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		s = " " + s + " " // which the parser takes off again
	}
	return fence + s + fence
}

// cell is a code span in a table, where a | ends a cell in code too, unless a \ stands before it. Parsers differ on what
// a second \ means, so there is none.
func cell(s string) string {
	s = strings.ReplaceAll(clean(s), `\|`, `\u005c|`)
	return strings.ReplaceAll(code(s), "|", `\|`)
}

// clip cuts what is longer than most characters.
func clip(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}

var (
	// Parsers take no fence of any length.
	manyBackticks = regexp.MustCompile("`{8,}")
	// Go's quotes, or a word.
	token = regexp.MustCompile(`"(?:[^"\\]|\\.)*"[.,;:?)]*|\S+`)
	// What can only be read as a word or a number. A name with a dot is an address, and one with a digit could be a commit.
	plainWord = regexp.MustCompile(`^(?:[A-Za-z]+(?:['-][a-z]+)*|[0-9]+%?)$`)
)

// messaged is how many characters of a message are shown.
const messaged = 1000

// piece is a word of a sentence, or several that become one code span.
type piece struct {
	before, text, after string
	plain               bool
}

// prose is a sentence of certsync's with names in it: words stay what they are, everything else becomes code.
func prose(s string) string {
	var pieces []piece
	s = clip(clean(s), messaged)
	for _, at := range token.FindAllStringIndex(s, -1) {
		t, last := s[at[0]:at[1]], len(pieces)-1
		if last >= 0 && s[at[0]-1] != ' ' { // something right behind a quote
			p := &pieces[last]
			p.text, p.after, p.plain = p.text+p.after+t, "", false
			continue
		}
		p := piece{text: strings.TrimRight(strings.TrimLeft(t, "("), ".,;:?)")}
		if p.text == "" {
			p.text = t
		} else {
			p.before, p.after, _ = strings.Cut(t, p.text)
		}
		p.plain = plainWord.MatchString(p.text)
		if last >= 0 && !p.plain && !pieces[last].plain && pieces[last].after+p.before == "" {
			pieces[last].text += " " + p.text
			pieces[last].after = p.after
			continue
		}
		pieces = append(pieces, p)
	}
	words := make([]string, len(pieces))
	for i, p := range pieces {
		if !p.plain {
			p.text = span(p.text)
		}
		words[i] = p.before + p.text + p.after
	}
	return strings.Join(words, " ")
}

// thousands is a number as people write it: 4,312.
func thousands(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
