package reconcile

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/certsync/certsync/inventory"
)

// ownKey is a user's key of which certsync has the public half alone, with the request that its holder made for it. A key
// of certsync's own dies with the process that made it; this one does not: whatever certificate was asked for may be used
// one day, so the ledger has to know of it before it can exist.
type ownKey struct {
	request     []byte           // PKCS#10, PEM
	public      crypto.PublicKey // nil: the request cannot be read
	fingerprint string           // see inventory.Fingerprint
}

// ownKeyOf is nil for somebody whose key certsync makes.
func ownKeyOf(u inventory.User) *ownKey {
	if u.Request == nil {
		return nil
	}
	k := &ownKey{request: u.Request}
	if block, _ := pem.Decode(u.Request); block != nil {
		if csr, err := x509.ParseCertificateRequest(block.Bytes); err == nil {
			k.public, k.fingerprint = csr.PublicKey, inventory.Fingerprint(csr.PublicKey)
		}
	}
	return k
}

// print is the key's fingerprint, "" for a key of certsync's.
func (k *ownKey) print() string {
	if k == nil {
		return ""
	}
	return k.fingerprint
}

// requestLife is the longest after which a CertificateSigningRequest still turns into a certificate: Kubernetes deletes
// one that nobody decides on after 24 hours, and one that was approved and not signed 24 hours after that, and looks for
// both every hour.
const requestLife = 2 * (24 + 1) * time.Hour

// maxRequested is the longest that an entry without a certificate can have to be accounted for.
const maxRequested = requestLife + (1<<31-1)*time.Second + slack

// reasonRequested is that of a record which began with a request. What has come of it says the entry.
const reasonRequested = "requested"

// requested is the ledger's entry for a certificate that is about to be asked for. Until one is there, nobody knows when
// it ends: NotAfter is the latest time.
func (s certificateSpec) requested(now time.Time) CertificateEntry {
	return CertificateEntry{
		Status: Requested, NotBefore: now, IssuedAt: now, NotAfter: now.Add(requestLife + s.expiration + slack),
		Groups: s.groups, KeyAlgorithm: string(inventory.AlgorithmOf(s.own.public)), PublicKeySHA256: s.own.fingerprint,
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
	case e.IssuedAt.IsZero() || e.NotAfter.Before(e.IssuedAt) || e.NotAfter.After(e.IssuedAt.Add(maxRequested)):
		return errors.New("it holds no certificate, and its times are none that a request can have")
	}
	e.Serial, e.SHA256, e.NotBefore = "", "", e.IssuedAt
	e.Groups = sortedSet(e.Groups)
	return nil
}

// maybe reports whether nobody knows that there is such a certificate.
func (e CertificateEntry) maybe() bool { return e.Certificate == "" && e.PublicKeySHA256 != "" }

// sameRequest reports whether two entries are requests for the same key and the same groups: what can come of them differs by
// its times alone.
func (e CertificateEntry) sameRequest(other CertificateEntry) bool {
	return e.maybe() && other.maybe() && e.Status == Requested && other.Status == Requested &&
		e.PublicKeySHA256 == other.PublicKeySHA256 && slices.Equal(e.Groups, other.Groups)
}

// asking is the record with an entry for what is about to be asked for as its last. Requests of earlier runs of which
// nobody knows what came are one entry for each key and list of groups, the one that ends last: a signer that is down for
// a month does not fill the ledger.
func (is *issuance) asking(now time.Time) Record {
	rec := Record{FormatVersion: FormatVersion, User: is.spec.user, State: Active, Since: now, Reason: reasonRequested, Kubeconfig: is.spec.kubeconfig}
	if is.record != nil {
		rec = *is.record
	}
	var kept []CertificateEntry
	for _, c := range rec.Certificates {
		i := slices.IndexFunc(kept, c.sameRequest)
		switch {
		case c.maybe() && !c.NotAfter.After(now):
		case i < 0:
			kept = append(kept, c)
		case c.NotAfter.After(kept[i].NotAfter):
			kept[i] = c
		}
	}
	rec.Certificates = append(kept, is.spec.requested(now))
	return rec
}

// earlier are the record's certificates without what this run has asked for.
func (is *issuance) earlier() []CertificateEntry {
	switch {
	case is.record == nil:
		return nil
	case is.asked:
		return is.record.Certificates[:len(is.record.Certificates)-1]
	}
	return is.record.Certificates
}

// write writes the record of a user whose certificate is being issued.
func (r *run) write(ctx context.Context, is *issuance, rec Record) error {
	version, err := r.Store.WriteRecord(ctx, rec, is.recordVersion)
	if err != nil {
		return err
	}
	is.record, is.recordVersion = &rec, version
	return nil
}

// recordRequest writes that a certificate is about to be asked for, before anything is sent that it could come of: a
// request whose answer gets lost is there all the same, and people may approve it at once.
func (r *run) recordRequest(ctx context.Context, is *issuance) error {
	if is.spec.own == nil {
		return nil
	}
	if err := r.write(ctx, is, is.asking(r.Now().UTC())); err != nil {
		return fmt.Errorf("recording the request: %w", err)
	}
	is.asked = true
	return nil
}

// created returns what is done about a request that was created, before anything approves or signs it: it is recorded
// under its name, so that people can look for it.
func (r *run) created(is *issuance) func(context.Context, CSRRef) error {
	if is.spec.own == nil {
		return nil
	}
	return func(ctx context.Context, ref CSRRef) error {
		if ref == (CSRRef{}) {
			return nil // there is none, and the entry says all
		}
		entry := is.spec.requested(r.Now().UTC())
		entry.CSR = ref
		rec := *is.record
		rec.Certificates = append(slices.Clone(is.earlier()), entry)
		if err := r.write(ctx, is, rec); err != nil {
			return fmt.Errorf("recording the request: %w", err)
		}
		return nil
	}
}

// keepAccount records a certificate that is not to be used, for a key that its user has: they may use it all the same. One
// that cannot be in this user's record, since it is somebody else's, stays accounted for as requested.
func (r *run) keepAccount(ctx context.Context, is *issuance, issued Issued) error {
	leaf, err := parseLeaf(issued.Chain)
	if is.spec.own == nil || err != nil || leaf.Subject.CommonName != is.spec.user || inventory.Fingerprint(leaf.PublicKey) != is.spec.own.fingerprint {
		return nil
	}
	rec := *is.record
	rec.Certificates = append(slices.Clone(is.earlier()), is.entry(issued, leaf, Superseded, r.Now().UTC()))
	if err := r.write(ctx, is, rec); err != nil {
		return fmt.Errorf("recording the certificate, which is not to be used: %w", err)
	}
	return nil
}
