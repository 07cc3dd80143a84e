package plan

import (
	"slices"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/plan/index"
)

// leaver decides what is left to do for a user who is not in the inventory, or whose time has passed or not come:
//
//	ledger record                  | users/<user> in Vault | verdict
//	unreadable                     | any                   | conflict
//	any, not in the index          | something             | conflict
//	active, denied, removing       | of the record's, none | remove
//	the same                       | somebody else's       | remove what is certsync's; then a conflict
//	none                           | something             | conflict: nobody knows whose it is
//	none                           | nothing               | nothing
//	removed                        | what a run wrote late | remove
//	removed                        | somebody else's       | conflict
//	removed, a certificate lives   | nothing               | a note until when
//	removed, certificates expired  | nothing               | purge
//	removed for LedgerRetention    | nothing               | purge
//
// --adopt users/NAME lifts the conflicts. Bindings go in any case, as steps of their own. Somebody who has another name now
// leaves when that has its access, or at once if the certificates are revoked.
func leaver(x *index.Index, name string) verdict {
	entry, meta := x.Observed.Ledger[name], x.Observed.Credentials[name]
	rec := entry.Record
	l := &reconcile.Leaving{Record: rec, RecordVersion: entry.Version, Credential: meta, Reason: reconcile.NotInInventory}
	s := &reconcile.Step{User: name, Username: x.Username(name), Action: reconcile.Remove, Stage: reconcile.StageLeave, Leave: l}
	whyLeaves(x, name, s)
	v := verdict{step: s}
	switch {
	case entry.Problem != "":
		s.Reasons = append([]reconcile.Reason{reconcile.LedgerUnreadable}, s.Reasons...)
		s.Hold(unreadable(x, name), reconcile.ByConflict)
		if s.Held == "" {
			v.note(lostRecord(name))
		}
	case rec == nil && meta.CurrentVersion > 0:
		// It may hold the key of somebody who left and whose record was lost: nothing to pass over in silence.
		s.Reasons = append([]reconcile.Reason{reconcile.ForeignCredential}, s.Reasons...)
		s.Hold(foreign(x, name, meta), reconcile.ByConflict)
		if _, living := x.Living(name); living {
			v.note(lostRecord(name))
		}
	case rec == nil:
		v.step = nil
		if _, living := x.Living(name); living || entry.Lost {
			v.note(lostRecord(name))
		}
	case meta.CurrentVersion == 0 && rec.State == reconcile.Removed:
		v.step = purgeLeaver(x, name)
		v.liveCertificate(x, name)
	case meta.CurrentVersion > 0 && (rec.State == reconcile.Removed && !storedLate(x, name) || !x.Indexed(name)):
		s.Reasons = append([]reconcile.Reason{reconcile.ForeignCredential}, s.Reasons...)
		s.Hold(foreign(x, name, meta), reconcile.ByConflict)
		v.liveCertificate(x, name)
	case meta.CurrentVersion > 0 && !rec.Knows(meta.CurrentVersion):
		l.Foreign = !slices.Contains(x.Rules.Adopt, name)
		if l.Foreign {
			s.Reasons = append([]reconcile.Reason{reconcile.ForeignCredential}, s.Reasons...)
		}
		if len(l.OwnVersions()) == 0 && rec.State == reconcile.Removing {
			s.Hold(foreign(x, name, meta), reconcile.ByConflict)
		}
		v.liveCertificate(x, name)
	default:
		v.liveCertificate(x, name)
	}
	return v
}

// whyLeaves says why somebody leaves, and when: with a rename, their access moves first.
func whyLeaves(x *index.Index, name string, s *reconcile.Step) {
	l := s.Leave
	switch now := x.Successor[name]; {
	case now != "":
		l.Reason, s.Reasons = reconcile.Renamed, []reconcile.Reason{reconcile.Renamed}
		if !x.RevokesFormer(name) {
			l.Successor, s.Stage = now, reconcile.StageRename
		}
	case x.Lapsed[name] && !l.Record.Left():
		l.Reason, s.Reasons = reconcile.UntilPassed, []reconcile.Reason{reconcile.UntilPassed}
	case x.Ahead[name] && !l.Record.Left():
		l.Reason, s.Reasons = reconcile.FromAhead, []reconcile.Reason{reconcile.FromAhead}
	case x.Ahead[name], x.FormerAhead[name]:
		s.Reasons = []reconcile.Reason{reconcile.FromAhead}
	case x.Lapsed[name], x.Former[name]:
		s.Reasons = []reconcile.Reason{reconcile.UntilPassed}
	default:
		s.Reasons = []reconcile.Reason{reconcile.NotInInventory}
	}
}

// storedLate reports whether a run without its lock has stored a user's credential after the removal: the record announced that
// very version.
func storedLate(x *index.Index, name string) bool {
	rec := x.Observed.Ledger[name].Record
	return x.Grants != nil && rec.State == reconcile.Removed && rec.Knows(x.Observed.Credentials[name].CurrentVersion)
}

// purgeActive clears what an active user's good credential has left behind, if anything.
func purgeActive(x *index.Index, user string) *reconcile.Step {
	entry, meta := x.Observed.Ledger[user], x.Observed.Credentials[user]
	s := reconcile.Step{User: user, Username: x.Username(user), Action: reconcile.Purge, Stage: reconcile.StageCleanup,
		Leave: &reconcile.Leaving{Record: entry.Record, RecordVersion: entry.Version, Credential: meta}}
	for _, c := range entry.Record.Certificates {
		if c.Status != reconcile.Current && !c.NotAfter.After(x.Observed.At) {
			s.Reasons = []reconcile.Reason{reconcile.CertificatesExpired}
		}
	}
	if old := meta.Older(); len(old) > 0 {
		s.Reasons = append(s.Reasons, reconcile.OldVersions)
		s.Detail = &reconcile.Detail{Versions: old}
	}
	if len(s.Reasons) == 0 {
		return nil
	}
	return &s
}

// purgeLeaver clears the record of a user who left: of expired certificates, and of the whole line once LedgerRetention has passed.
func purgeLeaver(x *index.Index, name string) *reconcile.Step {
	entry := x.Observed.Ledger[name]
	s := &reconcile.Step{User: name, Username: x.Username(name), Action: reconcile.Purge, Stage: reconcile.StageCleanup,
		Leave: &reconcile.Leaving{Record: entry.Record, RecordVersion: entry.Version}}
	_, live := entry.Record.LiveUntil(x.Observed.At)
	switch {
	case !live && x.Observed.At.Sub(entry.Record.Since) > reconcile.LedgerRetention:
		s.Reasons = []reconcile.Reason{reconcile.RetentionPassed}
	case !live && len(entry.Record.Certificates) > 0:
		s.Reasons = []reconcile.Reason{reconcile.CertificatesExpired}
	default:
		return nil
	}
	return s
}

// lostRecord notes that a certificate may live of which the ledger knows nothing.
func lostRecord(user string) reconcile.Note {
	return reconcile.Note{User: user, Kind: reconcile.UnknownCertificate,
		Message: "the ledger record is lost; a certificate that no record names may still be valid"}
}

// liveCertificate notes until when a leaver's last certificate lives.
func (v *verdict) liveCertificate(x *index.Index, name string) {
	rec := x.Observed.Ledger[name].Record
	until, live := rec.LiveUntil(x.Observed.At)
	if !live {
		return
	}
	message := "the API server still accepts their certificate"
	if !slices.ContainsFunc(rec.Certificates, func(c reconcile.CertificateEntry) bool { return !c.Unconfirmed() && c.NotAfter.Equal(until) }) {
		message = "if a certificate was issued for the request with their own key, the API server still accepts it"
	}
	v.note(reconcile.Note{User: name, Kind: reconcile.LiveCertificate, Until: &until, Message: message})
}
