package inventory

import (
	"regexp"
	"time"

	"github.com/certsync/certsync/inventory/strict"
)

var timeForm = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$`)

// momentKind says how an instant of the inventory is written, and what a day stands for. Instants are in UTC.
type momentKind struct {
	want   string
	ofDay  int    // 1: the end of a day that is named
	beyond string // what to do about a time that lies too far ahead
}

var (
	// Access that lasts until a day lasts through it.
	lasts = momentKind{"a date such as 2027-06-30, or a time such as 2027-06-30T18:00:00Z,", 1, "leave it out for access without an end"}
	// Access that lasts from a day begins with it.
	begins = momentKind{"a date such as 2027-01-31, or a time such as 2027-01-31T08:00:00Z,", 0, "it would never begin"}
	// Certificates from before a day are those from before it began.
	revoked = momentKind{"a time such as 2026-11-28T10:00:00Z, or a date such as 2026-11-28,", 0, "it would revoke nothing"}
)

// parseTerm returns the instants at which access begins and ends, as the fields from and until say. Access that ends before it
// begins is refused.
func parseTerm(fields map[string]strict.Value) (from, until time.Time) {
	first, begun := fields["from"]
	if begun {
		from = parseMoment(first, begins)
	}
	last, ends := fields["until"]
	if ends {
		until = parseMoment(last, lasts)
	}
	if !from.IsZero() && !until.IsZero() && !from.Before(until) {
		first.Problem("%s is not before the end of access, until %s", strict.Quote(first.Written()), strict.Quote(last.Written()))
		return time.Time{}, until
	}
	return from, until
}

func parseMoment(v strict.Value, kind momentKind) time.Time {
	s, ok := v.Scalar(kind.want)
	if !ok {
		return time.Time{}
	}
	at, ok := instant(s, kind.ofDay)
	switch {
	case !ok:
		v.Unwanted(kind.want)
	case at.Year() < 2000:
		// The zero time means none. It must not be had by writing it.
		v.Problem("%s lies before the year 2000", strict.Quote(s))
	case at.Year() > 9999:
		v.Problem("%s lies after the year 9999: %s", strict.Quote(s), kind.beyond)
	default:
		return at
	}
	return time.Time{}
}

func instant(s string, ofDay int) (time.Time, bool) {
	if day, err := time.Parse(time.DateOnly, s); err == nil {
		return day.AddDate(0, 0, ofDay), true
	}
	// time.Parse alone would let 8:00 through, which no other reader of RFC 3339 takes.
	t, err := time.Parse(time.RFC3339, s)
	return t.UTC(), err == nil && timeForm.MatchString(s)
}
