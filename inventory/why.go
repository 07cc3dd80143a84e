package inventory

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/certsync/certsync/inventory/strict"
)

// maxWhyLength is how many characters a reason or a ticket has at most.
const maxWhyLength = 200

// Why says why somebody has access, for people alone: it decides nothing. It is in plans and reviews, and never in an object of the
// cluster or in Vault.
type Why struct {
	Reason string `json:"reason,omitempty"` // one line of printable text; empty: none is given
	Ticket string `json:"ticket,omitempty"` // the same
}

// Given returns why, or nil if there is neither a reason nor a ticket.
func (w Why) Given() *Why {
	if w == (Why{}) {
		return nil
	}
	return &w
}

// Or returns w, or else another one if w says nothing.
func (w Why) Or(other Why) Why {
	if w == (Why{}) {
		return other
	}
	return w
}

// parseWhy returns what the fields reason and ticket say.
func parseWhy(fields map[string]strict.Value) Why {
	var w Why
	if field, ok := fields["reason"]; ok {
		w.Reason = field.Checked(whyFault)
	}
	if field, ok := fields["ticket"]; ok {
		w.Ticket = field.Checked(whyFault)
	}
	return w
}

// whyFault says what is wrong with a reason or a ticket, or nothing.
func whyFault(s string) string {
	switch n := utf8.RuneCountInString(s); {
	case strings.TrimSpace(s) == "":
		return "is empty: write something, or leave it out"
	case n > maxWhyLength:
		return fmt.Sprintf("has %d characters, and can have %d", n, maxWhyLength)
	case strings.ContainsAny(s, "\n\r"):
		return "has more than one line"
	case !utf8.ValidString(s) || strings.IndexFunc(s, invisible) >= 0:
		return "contains a character that is not printed, such as a control character: " + strict.Quote(s)
	}
	return ""
}

// invisible reports a character that nobody sees. Unicode calls fillers letters, and selectors of variants marks.
func invisible(r rune) bool {
	const text, emoji = '\uFE0E', '\uFE0F' // the look of the character before
	if r == text || r == emoji {
		return false
	}
	return !unicode.IsPrint(r) || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}
