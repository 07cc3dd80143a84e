package inventory

import (
	"regexp"
	"time"
)

var timeForm = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$`)

// until returns the instant at which access ends, in UTC: for a day its end, since a day that is named is included.
func (v value) until() time.Time {
	const want = "a date such as 2027-06-30, or a time such as 2027-06-30T18:00:00Z,"
	s, ok := v.scalar(want)
	if !ok {
		return time.Time{}
	}
	end, ok := instant(s)
	switch {
	case !ok:
		v.unwanted(want)
	case end.Year() < 2000:
		// The zero time means no end. It must not be had by writing it.
		v.problem("%s lies before the year 2000", show(s))
	case end.Year() > 9999:
		v.problem("%s lies after the year 9999: leave it out for access without an end", show(s))
	default:
		return end
	}
	return time.Time{}
}

func instant(s string) (time.Time, bool) {
	if day, err := time.Parse(time.DateOnly, s); err == nil {
		return day.AddDate(0, 0, 1), true
	}
	// time.Parse alone would let 8:00 through, which no other reader of RFC 3339 takes.
	t, err := time.Parse(time.RFC3339, s)
	return t.UTC(), err == nil && timeForm.MatchString(s)
}
