package plan

import (
	"fmt"
	"slices"

	"github.com/certsync/certsync/reconcile"
)

// leaver decides what is left to do for a user who is not in the inventory, or whose time has passed:
//
//	ledger record                  | verdict
//	unreadable                     | conflict
//	active, denied, suspended      | remove
//	lapsed                         | remove (not within the file: it has lapsed already)
//	removing                       | remove: the last run was cut off
//	none, but a binding of ours    | remove, if there is a credential: the record is lost (needs the state)
//	none otherwise                 | conflict, if there is a credential
//	removed, a credential          | remove: another run, which did not know, stored it
//	removed, a certificate lives   | a note until when
//	removed, all expired           | purge
//
// --adopt users/NAME lifts the conflicts. Somebody who has another name now leaves when that has its access.
func (d *differ) leaver(name string) {
	entry, meta := d.Observed.Ledger[name], d.Observed.Credentials[name]
	l := &reconcile.Leaving{Record: entry.Record, RecordVersion: entry.Version, Credential: meta, Final: reconcile.Removed, Reason: reconcile.NotInInventory}
	rec := entry.Record
	s := reconcile.Step{User: name, Action: reconcile.Remove, Stage: reconcile.StageLeave, Leave: l}
	switch now := d.successor[name]; {
	case now != "":
		l.Reason, l.Successor, s.Stage = reconcile.Renamed, now, reconcile.StageRename
		s.Reasons = []reconcile.Reason{reconcile.Renamed}
	case d.Lapsed[name] && rec.MayLapse():
		l.Final, l.Reason = reconcile.Lapsed, reconcile.UntilPassed
		s.Reasons = []reconcile.Reason{reconcile.UntilPassed}
	case d.Lapsed[name], d.former[name]:
		s.Reasons = []reconcile.Reason{reconcile.UntilPassed}
	default:
		s.Reasons = []reconcile.Reason{reconcile.NotInInventory}
	}
	why, by := d.stuck(name)
	s.Hold(why, by)
	switch {
	case entry.Problem != "":
		s.Reasons = append([]reconcile.Reason{reconcile.LedgerUnreadable}, s.Reasons...)
		s.Hold(d.conflicting(name, fmt.Sprintf("ledger/%s is no record of this user: %s", name, entry.Problem)), reconcile.ByConflict)
		if s.Held == "" {
			d.lostRecord(name)
		}
		d.step(s)
	case rec == nil && meta.CurrentVersion > 0 && d.names[name] && d.Observed.State != nil:
		d.lostRecord(name)
		d.step(s)
	case rec == nil && meta.CurrentVersion > 0:
		// It may hold the key of somebody who left and whose record was lost: nothing to pass over in silence.
		s.Reasons = append([]reconcile.Reason{reconcile.ForeignCredential}, s.Reasons...)
		s.Hold(d.foreign(name, meta), reconcile.ByConflict)
		d.step(s)
	case rec == nil:
	case meta.CurrentVersion == 0 && (rec.State == reconcile.Removed || rec.State == reconcile.Lapsed && d.Lapsed[name]):
		d.remains(name, entry)
	default:
		d.liveCertificate(name, rec)
		if object := d.plantedFor[name]; object != "" && rec.State == reconcile.Removing && meta.CurrentVersion == 0 {
			s.Hold(fmt.Sprintf("all is removed but %s, which may be certsync's without its labels", object), reconcile.ByConflict)
		}
		d.step(s)
	}
}

// stuck says why nothing may be taken from a user, or "".
func (d *differ) stuck(user string) (why string, by reconcile.HoldCause) {
	now := d.successor[user]
	switch guarded := d.guarded.user(user); {
	case !d.rules.Policy.Takes():
		return d.rules.Policy.Forbids(reconcile.Unbind), reconcile.ByPolicy
	case guarded != "":
		return guarded, reconcile.ByGuard
	case now != "" && !d.stays[now] && (d.blocked[now] || d.issues[now] == ""):
		by = reconcile.ByWait
		if rec := d.Observed.Ledger[now].Record; rec != nil && rec.State == reconcile.Denied {
			by = reconcile.ByDenial
		}
		return fmt.Sprintf("%s keeps the access until %s has it, which is the same person's name now", user, now), by
	}
	return "", reconcile.NotHeld
}

// lostRecord notes that a certificate may live of which the ledger knows nothing.
func (d *differ) lostRecord(user string) {
	d.note(reconcile.Note{User: user, Kind: reconcile.UnknownCertificate,
		Message: "the ledger record is lost; a certificate that nobody accounts for may live, for as long as it was issued"})
}

// remains accounts for one who has left already.
func (d *differ) remains(name string, entry reconcile.LedgerEntry) {
	_, live := entry.Record.LiveUntil(d.Observed.At)
	if live {
		d.liveCertificate(name, entry.Record)
		return
	}
	d.step(reconcile.Step{User: name, Action: reconcile.Purge, Reasons: []reconcile.Reason{reconcile.CertificatesExpired}, Stage: reconcile.StageCleanup,
		Leave: &reconcile.Leaving{Record: entry.Record, RecordVersion: entry.Version}})
}

// liveCertificate notes until when a leaver's last certificate lives.
func (d *differ) liveCertificate(name string, rec *reconcile.Record) {
	until, live := rec.LiveUntil(d.Observed.At)
	if !live {
		return
	}
	message := "the API server goes on accepting their certificate"
	if !slices.ContainsFunc(rec.Certificates, func(c reconcile.CertificateEntry) bool { return !c.Unconfirmed() && c.NotAfter.Equal(until) }) {
		message = "the API server goes on accepting the certificate that was requested for their own key, if it came to be"
	}
	d.note(reconcile.Note{User: name, Kind: reconcile.LiveCertificate, Until: &until, Message: message})
}

// purgeActive clears what an active user's good credential has left behind.
func (d *differ) purgeActive(user string, entry reconcile.LedgerEntry, meta reconcile.CredentialMeta) {
	s := reconcile.Step{User: user, Action: reconcile.Purge, Stage: reconcile.StageCleanup,
		Leave: &reconcile.Leaving{Record: entry.Record, RecordVersion: entry.Version, Credential: meta}}
	for _, c := range entry.Record.Certificates {
		if c.Status != reconcile.Current && !c.NotAfter.After(d.Observed.At) {
			s.Reasons = []reconcile.Reason{reconcile.CertificatesExpired}
		}
	}
	if old := meta.Older(); len(old) > 0 {
		s.Reasons = append(s.Reasons, reconcile.OldVersions)
		s.Detail = &reconcile.Detail{Versions: old}
	}
	if len(s.Reasons) > 0 {
		d.step(s)
	}
}
