package reconcile

import (
	"errors"
	"regexp"
	"slices"
	"time"

	"github.com/certsync/certsync/inventory/userkey"
)

// requestLife is the longest after which a CertificateSigningRequest still turns into a certificate: Kubernetes deletes
// one that nobody decides on after 24 hours, and one that was approved and not signed 24 hours after that, and looks for
// both every hour.
const requestLife = 2 * (24 + 1) * time.Hour

// maxRequested is the longest that an entry without a certificate can have to be accounted for.
const maxRequested = requestLife + (1<<31-1)*time.Second + Slack

// ReasonRequested is the reason of a record that began with a request. The record's entry says what has come of the request.
const ReasonRequested = "requested"

// LatestEnd is the latest time at which a certificate can end that is asked for at now or soon after.
func (s CertificateSpec) LatestEnd(now time.Time) time.Time {
	return now.Add(requestLife + s.Expiration + Slack)
}

// Requested is the ledger's entry for a certificate that is about to be asked for. Until one is there, nobody knows when
// it ends: NotAfter is the latest time.
func (s CertificateSpec) Requested(now time.Time) CertificateEntry {
	return CertificateEntry{
		Status: Requested, NotBefore: now, IssuedAt: now, NotAfter: s.LatestEnd(now),
		Epoch: s.Epoch, Groups: s.Groups, KeyAlgorithm: string(userkey.AlgorithmOf(s.Own.Public)), PublicKeySHA256: s.Own.SHA256,
	}
}

var fingerprintForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// completeRequested checks an entry without a certificate: one was asked for, and may be there.
func (e *CertificateEntry) completeRequested() error {
	switch {
	case e.Status == Current:
		return errors.New("it is current, and holds no certificate")
	case !fingerprintForm.MatchString(e.PublicKeySHA256):
		return errors.New("it holds no PEM certificate, and no SHA-256 of the public key for which one was requested")
	case e.CredentialVersion != 0:
		return errors.New("it holds no certificate, and has a credentialVersion")
	case !inUTC(&e.IssuedAt, &e.NotAfter) || e.IssuedAt.IsZero() || e.NotAfter.Before(e.IssuedAt) || e.NotAfter.After(e.IssuedAt.Add(maxRequested)):
		return errors.New("it holds no certificate, and its times are none that a request can have")
	}
	e.Serial, e.SHA256, e.NotBefore, e.Epoch = "", "", e.IssuedAt, max(e.Epoch, FirstEpoch)
	e.Groups = SortedSet(e.Groups)
	return nil
}

// Unconfirmed reports whether nobody knows that there is such a certificate.
func (e CertificateEntry) Unconfirmed() bool { return e.Certificate == "" && e.PublicKeySHA256 != "" }

// SameRequest reports whether two entries are requests for the same key, name and groups: what can come of them differs by
// its times alone.
func (e CertificateEntry) SameRequest(other CertificateEntry) bool {
	return e.Unconfirmed() && other.Unconfirmed() && e.Status == Requested && other.Status == Requested &&
		e.PublicKeySHA256 == other.PublicKeySHA256 && e.Epoch == other.Epoch && slices.Equal(e.Groups, other.Groups)
}
