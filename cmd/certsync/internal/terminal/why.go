package terminal

import (
	"strings"

	"github.com/certsync/certsync/inventory"
)

// WhyText is what the inventory says of a step, in one line for a terminal. quote is for each of the two texts. Without any it is "".
func WhyText(w *inventory.Why, quote Quoter) string {
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

// WhyLine is a line of its own that says why, or "".
func WhyLine(w *inventory.Why, margin string) string {
	if text := WhyText(w, Clean); text != "" {
		return Wrap(margin+"why: ", text)
	}
	return ""
}
