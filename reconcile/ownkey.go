package reconcile

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/certsync/certsync/inventory"
)

// asking is the record with an entry for what is about to be asked for as its last. Requests of earlier runs of which
// nobody knows what came are one entry for each key and list of groups, the one that ends last: a signer that is down for
// a month does not fill the ledger.
func asking(is *issuance, now time.Time) Record {
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
func earlier(is *issuance) []CertificateEntry {
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
	if err := r.write(ctx, is, asking(is, r.Now().UTC())); err != nil {
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
		rec.Certificates = append(slices.Clone(earlier(is)), entry)
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
	rec.Certificates = append(slices.Clone(earlier(is)), issuedEntry(is, issued, leaf, Superseded, r.Now().UTC()))
	if err := r.write(ctx, is, rec); err != nil {
		return fmt.Errorf("recording the certificate, which is not to be used: %w", err)
	}
	return nil
}
