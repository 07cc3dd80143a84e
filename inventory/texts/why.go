package texts

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/certsync/certsync/inventory/strict"
)

// MaxWhy is how many characters a reason or a ticket has at most.
const MaxWhy = 200

// WhyFault says what is wrong with a reason or a ticket, or nothing.
func WhyFault(s string) string {
	switch n := utf8.RuneCountInString(s); {
	case strings.TrimSpace(s) == "":
		return "is empty: write something, or leave it out"
	case n > MaxWhy:
		return fmt.Sprintf("has %d characters, and can have %d", n, MaxWhy)
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
