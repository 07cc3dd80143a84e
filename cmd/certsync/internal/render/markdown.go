package render

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/inventory"
)

// Text from others is in a code span, cleaned as for a terminal. There, GitHub and GitLab read no
// markup, mention, link, issue number or command.

// maxNameLength is how many bytes of a name a comment shows. No legal name in Kubernetes is longer.
const maxNameLength = 300

// maxMessageLength is how many bytes of a message a comment shows.
const maxMessageLength = 1000

// length is the size of a text in a comment: characters, not bytes.
func length(s string) int { return utf8.RuneCountInString(s) }

// code returns a name in a code span.
func code(s string) string {
	if s = inventory.Shorten(terminal.Clean(s), maxNameLength); s == "" {
		return "(empty)"
	}
	return span(s)
}

// span returns a code span between more backticks than the text has in a row.
func span(s string) string {
	s = manyBackticks.ReplaceAllStringFunc(s, func(run string) string { return strings.Repeat(`\u0060`, len(run)) })
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		s = " " + s + " " // the parser removes these blanks
	}
	return fence + s + fence
}

// longCode is code for a text that may be longer than a name: a reason has up to 200 characters, of up to four bytes.
func longCode(s string) string { return span(inventory.Shorten(terminal.Clean(s), maxMessageLength)) }

// cell returns a code span for a table. There, a | ends a cell even in code, unless a \ comes before it. Parsers differ on
// the meaning of a second \, so a name's own \| is shown as an escape.
func cell(s string) string {
	s = strings.ReplaceAll(terminal.Clean(s), `\|`, `\u005c|`)
	return strings.ReplaceAll(code(s), "|", `\|`)
}

var (
	// manyBackticks are more than a parser may take for a fence.
	manyBackticks = regexp.MustCompile("`{8,}")
	// token is a string in Go's quotes, or a word.
	token = regexp.MustCompile(`"(?:[^"\\]|\\.)*"[.,;:?)]*|\S+`)
	// plainWord can only be read as a word or a number. A name with a dot could be an address, one with a digit a commit.
	plainWord = regexp.MustCompile(`^(?:[A-Za-z]+(?:['-][a-z]+)*|[0-9]+%?)$`)
)

// piece is a word of a sentence, or several words that become one code span.
type piece struct {
	before, text, after string
	plain               bool
}

// prose returns a sentence of certsync's that holds names: words stay as they are, everything else becomes code.
func prose(s string) string {
	pieces := piecesOf(inventory.Shorten(terminal.Clean(s), maxMessageLength))
	words := make([]string, len(pieces))
	for i, p := range pieces {
		if !p.plain {
			p.text = span(p.text)
		}
		words[i] = p.before + p.text + p.after
	}
	return strings.Join(words, " ")
}

// piecesOf splits a clean sentence into plain words and code. Code that follows code becomes one piece with it.
func piecesOf(s string) []piece {
	var pieces []piece
	for _, at := range token.FindAllStringIndex(s, -1) {
		t, last := s[at[0]:at[1]], len(pieces)-1
		if last >= 0 && s[at[0]-1] != ' ' { // it follows a quote without a blank
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
	return pieces
}

// pluralWithCommas is a number and its noun: 1 step, 4,312 steps.
func pluralWithCommas(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return terminal.WithCommas(n) + " " + noun + "s"
}

// firstOf lists the first maxListed items, and counts the rest.
func firstOf(items []string, quote terminal.Quoter) string {
	text := terminal.QuoteAll(items[:min(len(items), terminal.MaxListed)], quote)
	if more := len(items) - terminal.MaxListed; more > 0 {
		text += " and " + terminal.WithCommas(more) + " more"
	}
	return text
}

// asQuoted is for names that are quoted already.
func asQuoted(s string) string { return s }
