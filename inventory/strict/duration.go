package strict

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// Duration returns a duration, and how it is written.
func (v Value) Duration(want string) (time.Duration, string, bool) {
	s, ok := v.Scalar(want)
	if !ok {
		return 0, "", false
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		v.Problem("%s is expected, not %s%s", want, Quote(s), otherUnit(s))
	}
	return d, s, err == nil
}

var durationElsewhere = regexp.MustCompile(`^([0-9]{1,5})([dw]?)$`)

// otherUnit says how to write a duration that is none in Go: days, weeks, or no unit at all.
func otherUnit(s string) string {
	m := durationElsewhere.FindStringSubmatch(s)
	if m == nil {
		return ""
	}
	n, _ := strconv.Atoi(m[1])
	switch m[2] {
	case "d":
		return fmt.Sprintf(": write %dh", 24*n)
	case "w":
		return fmt.Sprintf(": write %dh", 7*24*n)
	}
	return fmt.Sprintf(": it has no unit; for seconds, write %ds", n)
}
