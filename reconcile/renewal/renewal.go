// Package renewal says when a certificate is due to be replaced.
package renewal

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// Due is the time from which the certificate of an owner's user is to be renewed. A share of renewBefore is of the certificate's actual life, from
// issue to expiry: notBefore lies minutes before the issue. A duration over 90% of that life counts as a third, and
// clamped says so: a signer that shortens lifetimes must not cause a renewal on every run.
//
// Up to a tenth of the life later, by owner and user, so that a company's certificates don't fall due together; but never
// by more than half of what is left then, so that a renewal has time to fail and be tried again.
func Due(policy inventory.RenewBefore, owner, user string, cert reconcile.CertificateEntry) (at time.Time, clamped bool) {
	life := cert.NotAfter.Sub(cert.IssuedAt)
	before := policy.Of(life)
	if policy.Duration > life/10*9 {
		before, clamped = life/3, true
	}
	return cert.NotAfter.Add(-before).Add(jitter(owner, user, min(life/10, before/2))), clamped
}

// jitter is in [0, max), always the same share of it for the same owner and user.
func jitter(owner, user string, max time.Duration) time.Duration {
	if max <= 0 {
		return 0
	}
	sum := sha256.Sum256([]byte(owner + "\x00" + user))
	share, _ := bits.Mul64(binary.BigEndian.Uint64(sum[:8]), uint64(max)) // of 2^64
	return time.Duration(share)
}
