package terminal

import (
	"fmt"
	"strconv"
	"strings"
)

// Quoter makes a name from the inventory or the cluster safe for a text.
type Quoter func(string) string

// TextName quotes a name for a terminal.
func TextName(s string) string { return Clean(QuoteName(s)) }

// QuoteName returns a name in quotes, unless it can only be read as one name.
func QuoteName(s string) string {
	if quoted := strconv.Quote(s); quoted != `"`+s+`"` || strings.ContainsAny(s, " ,") {
		return quoted
	}
	return s
}

// QuoteAll quotes names and joins them with commas.
func QuoteAll(names []string, quote Quoter) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = quote(n)
	}
	return strings.Join(out, ", ")
}

// MaxListed is how many subjects or objects one line names; the rest is counted.
const MaxListed = 10

// NameList lists names, and counts those above limit.
func NameList(names []string, limit int) string {
	text := QuoteAll(names[:min(len(names), limit)], TextName)
	if more := len(names) - limit; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// WithCommas shows a number as 4,312.
func WithCommas(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// Plural is a number and its noun: 1 user, 2 users.
func Plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// GroupBy groups items with the same key, in the order of the first item of each group.
func GroupBy[T any](items []T, key func(T) string) [][]T {
	var groups [][]T
	index := map[string]int{}
	for _, item := range items {
		i, ok := index[key(item)]
		if !ok {
			i = len(groups)
			index[key(item)] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], item)
	}
	return groups
}
