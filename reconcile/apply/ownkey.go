package apply

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/certsync/certsync/inventory/userkey"
	"github.com/certsync/certsync/reconcile"
)

// asking is the record with an entry for what is about to be asked for as its last. Requests of earlier runs of which
// nobody knows what came are one entry for each key and list of groups, the one that ends last: a signer that is down for
// a month does not fill the ledger.
func asking(is *reconcile.Issuance, now time.Time) reconcile.Record {
	rec := reconcile.Record{User: is.Spec.User, State: reconcile.Active, Since: now, Reason: reconcile.ReasonRequested, Kubeconfig: is.Spec.Kubeconfig}
	if is.Record != nil {
		rec = *is.Record
	}
	var kept []reconcile.CertificateEntry
	for _, c := range rec.Certificates {
		i := slices.IndexFunc(kept, c.SameRequest)
		switch {
		case c.Unconfirmed() && !c.NotAfter.After(now):
		case i < 0:
			kept = append(kept, c)
		case c.NotAfter.After(kept[i].NotAfter):
			kept[i] = c
		}
	}
	rec.Certificates = append(kept, is.Spec.Requested(now))
	return rec
}

// earlier are the record's certificates without what this run has asked for.
func earlier(is *reconcile.Issuance) []reconcile.CertificateEntry {
	switch {
	case is.Record == nil:
		return nil
	case is.Asked:
		return is.Record.Certificates[:len(is.Record.Certificates)-1]
	}
	return is.Record.Certificates
}

// write writes the record of a user whose certificate is being issued.
func (r *issuing) write(ctx context.Context, is *reconcile.Issuance, rec reconcile.Record) error {
	version, err := r.writeRecord(ctx, rec, is.RecordVersion)
	if err != nil {
		return err
	}
	is.Record, is.RecordVersion = &rec, version
	return nil
}

// recordRequest writes that a certificate is about to be asked for, before anything is sent that it could come of: a
// request whose answer gets lost is there all the same, and people may approve it at once.
func (r *issuing) recordRequest(ctx context.Context, is *reconcile.Issuance) error {
	if is.Spec.Own == nil {
		return nil
	}
	if err := r.write(ctx, is, asking(is, r.Now().UTC())); err != nil {
		return fmt.Errorf("recording the request: %w", err)
	}
	is.Asked = true
	return nil
}

// created returns what is done about a request that was created, before anything approves or signs it: it is recorded
// under its name, so that people can look for it.
func (r *issuing) created(is *reconcile.Issuance) func(context.Context, reconcile.CSRRef) error {
	if is.Spec.Own == nil {
		return nil
	}
	return func(ctx context.Context, ref reconcile.CSRRef) error {
		if ref == (reconcile.CSRRef{}) {
			return nil // there is none, and the entry says all
		}
		entry := is.Spec.Requested(r.Now().UTC())
		entry.CSR = ref
		rec := *is.Record
		rec.Certificates = append(slices.Clone(earlier(is)), entry)
		if err := r.write(ctx, is, rec); err != nil {
			return fmt.Errorf("recording the request: %w", err)
		}
		return nil
	}
}

// recordUnused records a certificate that is not to be used, for a key that its user has: they may use it all the same. One
// that cannot be in this user's record, since it is somebody else's, stays accounted for as requested.
func (r *issuing) recordUnused(ctx context.Context, is *reconcile.Issuance, issued reconcile.Issued) error {
	leaf, err := reconcile.ParseLeaf(issued.Chain)
	if is.Spec.Own == nil || err != nil || leaf.Subject.CommonName != is.Spec.Username() || userkey.Fingerprint(leaf.PublicKey) != is.Spec.Own.SHA256 {
		return nil
	}
	rec := *is.Record
	rec.Certificates = append(slices.Clone(earlier(is)), issuedEntry(is, issued, leaf, reconcile.Superseded, r.Now().UTC()))
	if err := r.write(ctx, is, rec); err != nil {
		return fmt.Errorf("recording the certificate, which is not to be used: %w", err)
	}
	return nil
}
