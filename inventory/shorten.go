package inventory

import "strings"

// Shorten returns text, or its first limit bytes and an ellipsis if it is longer. It cuts between characters, and leaves
// out what is not UTF-8 of a text that it cuts. The result does not keep the whole text in memory.
func Shorten(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(strings.Clone(text[:limit]), "") + "…"
}
