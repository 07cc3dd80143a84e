package inventory

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/certsync/certsync/inventory/strict"
)

// RenewBefore is how long before its end a certificate is renewed. One of the two is set.
type RenewBefore struct {
	Share    int // in percent of the certificate's lifetime, from 1 to 90
	Duration time.Duration
}

// maxShare keeps a certificate from being due for renewal nearly as soon as it is issued.
const maxShare = 90

// Of returns how long before its end a certificate that lives for lifetime is renewed: never more than 90% of it, since
// a signer may issue for less time than was asked.
func (r RenewBefore) Of(lifetime time.Duration) time.Duration {
	if r.Duration > 0 {
		return min(r.Duration, share(maxShare, lifetime))
	}
	return share(r.Share, lifetime)
}

// String is how an inventory says it: 33% or 24h.
func (r RenewBefore) String() string {
	if r.Duration > 0 {
		return DurationText(r.Duration)
	}
	return fmt.Sprintf("%d%%", r.Share)
}

// share divides first: 68 years times 90 do not fit into a Duration.
func share(percent int, d time.Duration) time.Duration {
	return d/100*time.Duration(percent) + d%100*time.Duration(percent)/100
}

var wholePercent = regexp.MustCompile(`^-?[0-9]{1,9}%$`)

func parseRenewBefore(v strict.Value) RenewBefore {
	const want = "a share such as 33% or a duration such as 24h"
	s, ok := v.Scalar(want)
	if !ok {
		return builtIn.RenewBefore
	}
	if !strings.HasSuffix(s, "%") {
		d, _, ok := v.Duration(want)
		if ok && d <= 0 {
			v.Problem("%s is not above zero", strict.Quote(s))
		}
		if !ok || d <= 0 {
			return builtIn.RenewBefore
		}
		return RenewBefore{Duration: d}
	}
	percent, _ := strconv.Atoi(strings.TrimSuffix(s, "%"))
	switch {
	case !wholePercent.MatchString(s):
		v.Problem("%s is not a whole percentage, such as 33%%", strict.Quote(s))
	case percent <= 0:
		v.Problem("%s is not above zero", strict.Quote(s))
	case percent > maxShare:
		v.Problem("%s is over %d%%: a certificate would be due again as soon as it is issued", strict.Quote(s), maxShare)
	default:
		return RenewBefore{Share: percent}
	}
	return builtIn.RenewBefore
}

// tooLong reports whether a renewal that is given as a duration comes too early for an expiration.
func (r RenewBefore) tooLong(expiration time.Duration) bool {
	return r.Duration > share(maxShare, expiration)
}

// checkRenewal checks a renewal that is given as a duration, in one of several clusters if it has a name, against an expiration.
func checkRenewal(v strict.Value, r RenewBefore, expiration time.Duration, cluster string) {
	if !r.tooLong(expiration) {
		return
	}
	in := ""
	if cluster != "" {
		in = " of cluster " + strict.Quote(cluster)
	}
	v.Problem("renewBefore %s%s is over %d%% of the expiration %s: a certificate would be due again as soon as it is issued",
		DurationText(r.Duration), in, maxShare, DurationText(expiration))
}
