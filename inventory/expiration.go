package inventory

import (
	"math"
	"time"

	"github.com/certsync/certsync/inventory/strict"
)

// minExpiration is the least that kube-apiserver takes in a CertificateSigningRequest.
const minExpiration = 10 * time.Minute

// maxExpiration is what fits into its expirationSeconds, an int32.
const maxExpiration = math.MaxInt32 * time.Second

// parseExpiration returns how long certificates are to live, or otherwise where there is a problem.
func parseExpiration(v strict.Value, otherwise time.Duration) time.Duration {
	d, written, ok := v.Duration("a duration such as 168h")
	switch {
	case !ok:
	case d < minExpiration:
		v.Problem("%s is under 10 minutes, the shortest lifetime that Kubernetes issues", strict.Quote(written))
	case d > maxExpiration:
		v.Problem("%s is over %d seconds (68 years), the longest lifetime that Kubernetes takes", strict.Quote(written), math.MaxInt32)
	case d%time.Second != 0:
		v.Problem("%s is not in whole seconds", strict.Quote(written))
	default:
		return d
	}
	return otherwise
}
