package render

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/certsync/certsync/inventory"
)

// The rules of Markdown: what is not certsync's own words stands in code spans, cleaned as for a terminal. There is no
// markup in them, no mention that notifies somebody, no link, no number of an issue and no command, on GitHub and GitLab.

// maxNameLength is how many characters of a name or a message are textName: more than any legal name of Kubernetes' has.
const maxNameLength = 300

// code is a name in a code span.
func code(s string) string {
	if s = inventory.Shorten(Clean(s), maxNameLength); s == "" {
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
	s = strings.ReplaceAll(Clean(s), `\|`, `\u005c|`)
	return strings.ReplaceAll(code(s), "|", `\|`)
}

var (
	// Parsers take no fence of any length.
	manyBackticks = regexp.MustCompile("`{8,}")
	// Go's quotes, or a word.
	token = regexp.MustCompile(`"(?:[^"\\]|\\.)*"[.,;:?)]*|\S+`)
	// What can only be read as a word or a number. A name with a dot is an address, and one with a digit could be a commit.
	plainWord = regexp.MustCompile(`^(?:[A-Za-z]+(?:['-][a-z]+)*|[0-9]+%?)$`)
)

// maxMessageLength is how many characters of a message are textName.
const maxMessageLength = 1000

// piece is a word of a sentence, or several that become one code span.
type piece struct {
	before, text, after string
	plain               bool
}

// prose is a sentence of certsync's with names in it: words stay what they are, everything else becomes code.
func prose(s string) string {
	var pieces []piece
	s = inventory.Shorten(Clean(s), maxMessageLength)
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

// withCommas is a number as people write it: 4,312.
func withCommas(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
