package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/certsync/certsync/inventory/shell"
	"github.com/certsync/certsync/reconcile"
)

// beginRemoval writes that a user is being removed, before anything of theirs goes. The bindings go in between, as steps
// of their own: a crash leaves a record that says "removing", and the next run goes on. If the record cannot be written,
// the bindings go all the same: it still says "active", and the next run removes the rest.
func (r *run) beginRemoval(ctx context.Context, s reconcile.Step) {
	if s.Held != "" || r.over() != nil || r.successorFailed(s.Leave.Successor) != nil {
		return // finishRemoval reports it
	}
	l := *s.Leave
	rec := reconcile.Record{User: s.User}
	if l.Record != nil {
		rec = *l.Record
	}
	// Another reason than the one that is recorded counts, but an `until` that has passed does not: who was being removed
	// has left.
	begun := rec.State == reconcile.Removing && rec.Reason == string(l.Reason)
	if !begun {
		rec.State, rec.Since, rec.Reason = reconcile.Removing, r.Now().UTC(), string(l.Reason)
	}
	erased := rec.Erased
	if rec.Erased = 0; l.Credential.CurrentVersion > 0 && !l.Foreign {
		rec.Erased = l.Credential.CurrentVersion + 1
	}
	if !begun || rec.Erased != erased {
		version, err := r.writeRecord(ctx, rec, l.RecordVersion)
		if err != nil {
			r.end(s, "", fmt.Errorf("recording the removal: %w", err))
			r.setBegun(s.User, nil)
			return
		}
		l.RecordVersion = version
	}
	l.Record = &rec
	r.setBegun(s.User, &l)
}

func (p *progress) setBegun(user string, l *reconcile.Leaving) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begun[user] = l
}

func (p *progress) hasBegun(user string) (l *reconcile.Leaving, tried bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l, tried = p.begun[user]
	return l, tried
}

// renames ends the old names of those who have their access under a new one.
func (r *run) renames(ctx context.Context) {
	all := r.at(0, reconcile.StageRename)
	leave := slices.DeleteFunc(slices.Clone(all), func(s reconcile.Step) bool { return s.Leave == nil })
	each(r.Workers, leave, func(s reconcile.Step) { r.beginRemoval(ctx, s) })
	each(r.Workers, all, func(s reconcile.Step) {
		if s.Leave == nil {
			_ = r.attempt(ctx, s, r.bind)
		}
	})
	each(r.Workers, leave, func(s reconcile.Step) { r.finishRemoval(ctx, s) })
}

// finishRemoval deletes the credential and closes the record, which stays for reconcile.LedgerRetention. The credential goes even
// if a binding could not be deleted; the record then stays at "removing".
func (r *run) finishRemoval(ctx context.Context, s reconcile.Step) {
	if l, tried := r.hasBegun(s.User); tried && l == nil {
		return // beginRemoval has failed, and reported it
	}
	_ = r.attempt(ctx, s, r.remove)
}

func (r *run) remove(ctx context.Context, s reconcile.Step) (string, error) {
	if err := r.successorFailed(s.Leave.Successor); err != nil {
		return "", err
	}
	l, _ := r.hasBegun(s.User)
	if l.Foreign {
		if err := r.Store.DestroyVersions(ctx, s.User, l.OwnVersions()); err != nil {
			return "", fmt.Errorf("destroying the versions of the credential that certsync wrote: %w", err)
		}
		return "", reconcile.WithHint(fmt.Errorf("users/%s is at version %d, which certsync did not write; the versions that certsync wrote are destroyed", s.User, l.Credential.CurrentVersion),
			"find out who wrote it; then delete it, or let certsync delete it with --adopt "+shell.Quote("users/"+s.User))
	}
	if l.Credential.CurrentVersion > 0 {
		if err := r.Store.DeleteCredential(ctx, s.User, l.Credential.CurrentVersion); err != nil {
			return "", fmt.Errorf("deleting the credential: %w", r.notErased(ctx, l, err))
		}
	}
	if err := r.stillBound(s.User); err != nil {
		return "", fmt.Errorf("the credential is deleted, but a binding is not: %w", err)
	}
	rec := *l.Record
	rec.State, rec.Reason, rec.Since, rec.Erased = reconcile.Removed, string(l.Reason), r.Now().UTC(), 0
	rec.Certificates = nil
	for _, c := range l.Record.Certificates {
		if c.NotAfter.After(r.Now()) {
			// Nobody writes a deleted credential again. One that this run has not seen may still come: from a run that lost
			// its lock between the ledger and Vault.
			if c.Status != reconcile.Current || l.Credential.CurrentVersion > 0 {
				c.CredentialVersion = 0
			}
			c.Status = reconcile.Revoked
			rec.Certificates = append(rec.Certificates, c)
		}
	}
	if _, err := r.writeRecord(ctx, rec, l.RecordVersion); err != nil {
		return "", fmt.Errorf("recording the end of the removal: %w", err)
	}
	return "", nil
}

// notErased records that somebody else has written the version with which the removal was to overwrite the credential.
func (r *run) notErased(ctx context.Context, l *reconcile.Leaving, err error) error {
	if !errors.Is(err, reconcile.ErrPrecondition) || errors.Is(err, reconcile.ErrRepeated) {
		return err
	}
	rec := *l.Record
	rec.Erased = 0
	_, again := r.writeRecord(ctx, rec, l.RecordVersion)
	return errors.Join(err, again)
}

// writeRecord writes a record with what all of this run have in common.
func (r *run) writeRecord(ctx context.Context, rec reconcile.Record, cas int) (version int, err error) {
	rec.FormatVersion, rec.Run, rec.Revision = reconcile.RecordVersion, r.RunID, r.Revision
	if last := rec.Last(); last != nil {
		rec.Epoch = last.Epoch
	}
	return r.Store.WriteRecord(ctx, rec, cas)
}

// stillBound returns why a binding still names a user who leaves, or nil.
func (r *run) stillBound(user string) error {
	if err := r.failure(user); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.naming[user] {
		if err := r.broken[s.Object()]; err != nil {
			return err
		}
		err, names := r.altered[s.Object()], func(u reconcile.Subject) bool { return u.Person() == user }
		if err != nil && slices.ContainsFunc(r.objects[s.Object()].Subjects, names) {
			return err
		}
	}
	return nil
}

// purge clears what has no use any more: expired certificates and records, old versions of credentials.
func (r *run) purge(ctx context.Context, s reconcile.Step) (string, error) {
	if s.Revocations != nil {
		return r.revoke(ctx, s)
	}
	l := s.Leave
	for _, reason := range s.Reasons {
		var err error
		switch {
		case reason == reconcile.OldVersions:
			err = r.Store.DestroyVersions(ctx, s.User, l.Credential.Older())
		case reason == reconcile.RetentionPassed:
			err = r.Store.DeleteRecord(ctx, s.User, l.RecordVersion)
		default:
			rec := *l.Record
			rec.Certificates = slices.DeleteFunc(slices.Clone(rec.Certificates), func(c reconcile.CertificateEntry) bool {
				inUse := c.Status == reconcile.Current && rec.State != reconcile.Removed
				return !inUse && !c.NotAfter.After(r.Now())
			})
			rec.FormatVersion = reconcile.RecordVersion
			_, err = r.Store.WriteRecord(ctx, rec, l.RecordVersion) // it goes on naming the run that removed its user
		}
		if err != nil {
			return "", fmt.Errorf("clearing %s: %w", reason, err)
		}
	}
	return "", nil
}

// revoke writes the admission policy's list of revoked certificates, as the steps of batches do one after the other. A step without a
// list takes protection from a user, which the state records.
func (r *run) revoke(ctx context.Context, s reconcile.Step) (string, error) {
	if s.Revocations == nil {
		return "the user is not protected any more: the next run can take access away", nil // the state says so already
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	policy := s.Revocations.Policy
	if r.denies != nil {
		policy = *r.denies
	}
	made, err := r.Policies.WriteRevocations(ctx, r.plan.Owner, policy, s.Revocations.Entries)
	if err == nil {
		r.denies = &made
	}
	return "", err
}
