package reconcile

import "time"

// TimeText returns a time as certsync shows it to people: in UTC, to the second.
func TimeText(t time.Time) string { return t.UTC().Format(time.RFC3339) }
