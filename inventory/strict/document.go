// Package strict reads one document of YAML strictly, and knows the place of every problem. It also writes one.
//
// Whatever two readers of YAML could understand differently is refused: anchors, tags, keys that are given twice, text that
// could be a number or a boolean, a second document, control characters. The caller says which
// fields there are, and what they mean. All problems come at once, in a [Report], which also bounds what parsing may cost.
package strict

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	yaml "sigs.k8s.io/yaml/goyaml.v3"
)

// Kind is a kind of document, in the words of its problems.
type Kind struct {
	Name     string // such as: an inventory
	Empty    string // what to do about a document without anything
	TooLarge string // how much the documents of a Report can hold, and what to do about more
}

// document is what the values of one document share.
type document struct {
	report *Report
	file   string // what stands before every problem
}

// Parse returns the root of the one YAML document in data, which stands in file. Where it fails, the report says why.
func Parse(report *Report, file string, kind Kind, data []byte) (Value, bool) {
	d := &document{report, file}
	if !d.characters(data) {
		return Value{}, false
	}
	if !report.Afford(data) {
		d.note(1, 1, "the file is too large: "+kind.TooLarge)
		return Value{}, false
	}
	yamls := yaml.NewDecoder(bytes.NewReader(data))
	var first, second yaml.Node
	switch err := yamls.Decode(&first); {
	case errors.Is(err, io.EOF):
		d.note(1, 1, "the file is empty: "+kind.Empty)
		return Value{}, false
	case err != nil:
		d.syntax(data, err)
		return Value{}, false
	}
	switch err := yamls.Decode(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		d.syntax(data, err)
		return Value{}, false
	default:
		// kubectl's habit of several documents a file would here mean values that nobody reads.
		d.note(second.Line, second.Column, "a second document begins here: "+kind.Name+" is one document")
	}
	root := d.at(first.Content[0], "")
	if root.IsNull() {
		root.Problem("the document is empty: %s", kind.Empty)
		return Value{}, false
	}
	return root, true
}

func (d *document) note(line, column int, message string) {
	d.report.Note(d.file, line, column, "", message)
}

// characters checks that data is text in UTF-8. The YAML library does so too, but doesn't say where, and takes UTF-16.
func (d *document) characters(data []byte) bool {
	line, column := 1, 0
	for rest := data; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		rest = rest[size:]
		column++
		switch {
		case r == utf8.RuneError && size == 1:
			d.note(line, column, "the file is not UTF-8")
			return false
		case r == '\n':
			line, column = line+1, 0
		case r < ' ' && r != '\t' && (r != '\r' || len(rest) == 0 || rest[0] != '\n'), r >= 0x7f && r < 0xa0,
			r == '\u2028', r == '\u2029', unicode.Is(unicode.Bidi_Control, r):
			// YAML breaks lines at some of these where git and editors don't: what a reviewer sees as part of a comment
			// would be a value.
			d.note(line, column, "the control character "+strconv.QuoteRune(r)+" is not allowed")
			return false
		}
	}
	return true
}

var (
	syntaxError   = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)
	parserError   = regexp.MustCompile(`^(did not find expected (<|node content|key|'-'|',')|found undefined tag|found duplicate %|found incompatible)`)
	unknownAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)
)

// syntax notes an error of the YAML library, which knows a line at best: none stands for the first.
func (d *document) syntax(data []byte, err error) {
	line, message := 1, err.Error()
	if m := syntaxError.FindStringSubmatch(message); m != nil {
		message = m[2]
		if m[1] != "" {
			line, _ = strconv.Atoi(m[1])
			// The library counts lines from 1 where its scanner fails, and from 0 where its parser does.
			if parserError.MatchString(message) {
				line++
			}
		}
	}
	if m := unknownAnchor.FindStringSubmatch(message); m != nil {
		before, _, _ := strings.Cut(string(data), "*"+m[1])
		line, message = strings.Count(before, "\n")+1, noAnchors
	}
	d.note(line, 1, "the file is not YAML: "+message)
}
