package reconcile

import "slices"

// OrEmpty makes a nil list [] in JSON, which consumers can loop over.
func OrEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// SortedSet returns the distinct values of in, sorted.
func SortedSet(in []string) []string {
	out := slices.Clone(in)
	slices.Sort(out)
	return slices.Compact(out)
}
