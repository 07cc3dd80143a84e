package strict

import "strings"

// The bounds of a suggestion: how many names a wrong one is compared with, and of how many bytes each.
const (
	maxCandidates = 500
	maxCompared   = 64
)

// DidYouMean returns ` (did you mean "developers"?)` for the candidate that is nearest to got, or nothing.
func DidYouMean(got string, candidates []string) string {
	if len(got) > maxCompared {
		return ""
	}
	got = strings.ToLower(got)
	nearest, least := "", min(3, (len(got)+2)/3)+1
	for _, candidate := range candidates[:min(len(candidates), maxCandidates)] {
		if len(candidate) > maxCompared {
			continue // as long as its file may be, and no name to suggest
		}
		if n := distance(got, strings.ToLower(candidate), least); n < least {
			nearest, least = candidate, n
		}
	}
	if nearest == "" {
		return ""
	}
	return " (did you mean " + Quote(nearest) + "?)"
}

// distance counts the letters to insert, delete, change or swap with the next one on the way from a to b (optimal string
// alignment). It gives up, returning limit, where that many are certain.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		least := row[0]
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
			least = min(least, row[j+1])
		}
		if least >= limit {
			return limit
		}
		before, last, row = last, row, before
	}
	return min(last[len(b)], limit)
}
