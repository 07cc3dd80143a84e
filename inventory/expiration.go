package inventory

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"time"
)

// minExpiration is the least that kube-apiserver takes in a CertificateSigningRequest.
const minExpiration = 10 * time.Minute

// maxExpiration is what fits into its expirationSeconds, an int32.
const maxExpiration = math.MaxInt32 * time.Second

// expiration returns how long certificates are to live, or otherwise where there is a problem.
func (v value) expiration(otherwise time.Duration) time.Duration {
	d, written, ok := v.duration("a duration such as 168h")
	switch {
	case !ok:
	case d < minExpiration:
		v.problem("%s is under 10 minutes, the shortest lifetime that Kubernetes issues", show(written))
	case d > maxExpiration:
		v.problem("%s is over %d seconds (68 years), the longest lifetime that Kubernetes takes", show(written), math.MaxInt32)
	case d%time.Second != 0:
		v.problem("%s is not in whole seconds", show(written))
	default:
		return d
	}
	return otherwise
}

// duration returns a duration, and how it is written.
func (v value) duration(want string) (time.Duration, string, bool) {
	s, ok := v.scalar(want)
	if !ok {
		return 0, "", false
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		v.problem("%s is expected, not %s%s", want, show(s), otherUnit(s))
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
