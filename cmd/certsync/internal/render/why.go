package render

import (
	"strings"

	"github.com/certsync/certsync/inventory"
)

// whyText is what the inventory says of a step, in one line for a terminal. quote is for each of the two texts. Without any it is "".
func whyText(w *inventory.Why, quote quoter) string {
	if w == nil {
		return ""
	}
	var parts []string
	if w.Reason != "" {
		parts = append(parts, quote(w.Reason))
	}
	if w.Ticket != "" {
		parts = append(parts, "ticket "+quote(w.Ticket))
	}
	return strings.Join(parts, ", ")
}

// whyLine is a line of its own that says why, or "".
func whyLine(w *inventory.Why, margin string) string {
	if text := whyText(w, Clean); text != "" {
		return wrap(margin+"why: ", text)
	}
	return ""
}

// longCode is code for a text that may be longer than a name: a reason has up to 200 characters, of up to four bytes.
func longCode(s string) string { return span(inventory.Shorten(Clean(s), maxMessageLength)) }
