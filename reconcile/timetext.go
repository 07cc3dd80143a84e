package reconcile

import "time"

// TimeText returns a time as certsync shows it to people: in UTC, to the second.
func TimeText(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// inUTC moves times to UTC, and reports whether JSON can hold them: Go reads offsets of 24 hours and, in UTC, years before 0
// and after 9999, and does not write them.
func inUTC(times ...*time.Time) bool {
	for _, t := range times {
		*t = t.UTC()
		if t.Year() < 0 || t.Year() > 9999 {
			return false
		}
	}
	return true
}
