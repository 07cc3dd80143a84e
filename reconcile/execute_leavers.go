package reconcile

import (
	"context"
	"fmt"
	"slices"
)

// beginRemoval writes that a user is being removed, before anything of theirs goes. The bindings go in between, as steps
// of their own: a crash leaves a record that says "removing", and the next run goes on. If the record cannot be written,
// the bindings go all the same: it still says "active", and the next run removes the rest.
func (r *run) beginRemoval(ctx context.Context, s Step) {
	if s.Held != "" || r.over() != nil || r.successorFailed(s.leave.successor) != nil {
		return // finishRemoval reports it
	}
	l := *s.leave
	rec := Record{FormatVersion: FormatVersion, User: s.User}
	if l.record != nil {
		rec = *l.record
	}
	// Another reason than the one that is recorded counts, but an `until` that has passed does not: who was being removed
	// stays quarantined.
	if rec.State != Removing || rec.Reason != string(l.reason) {
		rec.State, rec.Since, rec.Reason = Removing, r.Now().UTC(), string(l.reason)
		version, err := r.Store.WriteRecord(ctx, rec, l.recordVersion)
		if err != nil {
			r.end(s, "", fmt.Errorf("recording the removal: %w", err))
			r.setBegun(s.User, nil)
			return
		}
		l.recordVersion = version
	}
	l.record = &rec
	r.setBegun(s.User, &l)
}

func (r *run) setBegun(user string, l *leaving) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begun[user] = l
}

func (r *run) hasBegun(user string) (l *leaving, tried bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l, tried = r.begun[user]
	return l, tried
}

// renames ends the old names of those who have their access under a new one.
func (r *run) renames(ctx context.Context) {
	all := r.at(stageRename)
	leave := slices.DeleteFunc(slices.Clone(all), func(s Step) bool { return s.leave == nil })
	each(r.Workers, leave, func(s Step) { r.beginRemoval(ctx, s) })
	each(r.Workers, all, func(s Step) {
		if s.leave == nil {
			_ = r.attempt(ctx, s, r.bind)
		}
	})
	each(r.Workers, leave, func(s Step) { r.finishRemoval(ctx, s) })
}

// finishRemoval deletes the credential and closes the record: with no certificate left to account for, by deleting it.
// The credential goes even if a binding could not be deleted; the record then stays at "removing".
func (r *run) finishRemoval(ctx context.Context, s Step) {
	if l, tried := r.hasBegun(s.User); tried && l == nil {
		return // beginRemoval has failed, and reported it
	}
	_ = r.attempt(ctx, s, r.remove)
}

func (r *run) remove(ctx context.Context, s Step) (string, error) {
	if err := r.successorFailed(s.leave.successor); err != nil {
		return "", err
	}
	l, _ := r.hasBegun(s.User)
	if l.credential.CurrentVersion > 0 {
		if err := r.Store.DeleteCredential(ctx, s.User, l.credential.CurrentVersion); err != nil {
			return "", fmt.Errorf("deleting the credential: %w", err)
		}
	}
	if err := r.stillBound(s.User); err != nil {
		return "", fmt.Errorf("the credential is gone, a binding is not: %w", err)
	}
	rec := *l.record
	rec.State, rec.Reason = l.final, string(l.reason)
	rec.Certificates = nil
	for _, c := range l.record.Certificates {
		if c.NotAfter.After(r.Now()) {
			c.Status = Revoked
			rec.Certificates = append(rec.Certificates, c)
		}
	}
	if len(rec.Certificates) == 0 {
		if err := r.Store.DeleteRecord(ctx, s.User, l.recordVersion); err != nil {
			return "", fmt.Errorf("deleting the record, which has nothing left to account for: %w", err)
		}
		return "", nil
	}
	if _, err := r.Store.WriteRecord(ctx, rec, l.recordVersion); err != nil {
		return "", fmt.Errorf("recording the end of the removal: %w", err)
	}
	return "", nil
}

// stillBound returns why a binding still names a user who leaves, or nil.
func (r *run) stillBound(user string) error {
	if err := r.failure(user); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.naming[user] {
		if err := r.broken[s.Object]; err != nil {
			return err
		}
		if s.heldBy == byConflict {
			return fmt.Errorf("%s: %s", s.Object, s.Held)
		}
	}
	return nil
}

// purge clears what has no use any more: expired certificates and records, old versions of credentials.
func (r *run) purge(ctx context.Context, s Step) (string, error) {
	l := s.leave
	for _, reason := range s.Reasons {
		var err error
		switch {
		case reason == OldVersions:
			err = r.Store.DestroyVersions(ctx, s.User, l.credential.Older())
		case l.record.State == Active:
			rec := *l.record
			rec.Certificates = slices.DeleteFunc(slices.Clone(rec.Certificates), func(c CertificateEntry) bool {
				return c.Status != Current && !c.NotAfter.After(r.Now())
			})
			_, err = r.Store.WriteRecord(ctx, rec, l.recordVersion)
		default:
			err = r.Store.DeleteRecord(ctx, s.User, l.recordVersion)
		}
		if err != nil {
			return "", fmt.Errorf("clearing %s: %w", reason, err)
		}
	}
	return "", nil
}
