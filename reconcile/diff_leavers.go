package reconcile

import (
	"fmt"
	"slices"
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
	entry, meta := d.o.Ledger[name], d.o.Credentials[name]
	l := &leaving{record: entry.Record, recordVersion: entry.Version, credential: meta, final: Removed, reason: NotInInventory}
	rec := entry.Record
	s := Step{User: name, Action: Remove, stage: stageLeave, leave: l}
	switch now := d.successor[name]; {
	case now != "":
		l.reason, l.successor, s.stage = Renamed, now, stageRename
		s.Reasons = []Reason{Renamed}
	case d.lapsed[name] && rec.mayLapse():
		l.final, l.reason = Lapsed, UntilPassed
		s.Reasons = []Reason{UntilPassed}
	case d.lapsed[name], d.former[name]:
		s.Reasons = []Reason{UntilPassed}
	default:
		s.Reasons = []Reason{NotInInventory}
	}
	why, by := d.stuck(name)
	s.hold(why, by)
	switch {
	case entry.Problem != "":
		s.Reasons = append([]Reason{LedgerUnreadable}, s.Reasons...)
		s.hold(d.conflicting(name, fmt.Sprintf("ledger/%s is no record of this user: %s", name, entry.Problem)), byConflict)
		if s.Held == "" {
			d.lostRecord(name)
		}
		d.step(s)
	case rec == nil && meta.CurrentVersion > 0 && d.names[name] && d.o.State != nil:
		d.lostRecord(name)
		d.step(s)
	case rec == nil && meta.CurrentVersion > 0:
		// It may hold the key of somebody who left and whose record was lost: nothing to pass over in silence.
		s.Reasons = append([]Reason{ForeignCredential}, s.Reasons...)
		s.hold(d.foreign(name, meta), byConflict)
		d.step(s)
	case rec == nil:
	case meta.CurrentVersion == 0 && (rec.State == Removed || rec.State == Lapsed && d.lapsed[name]):
		d.remains(name, entry)
	default:
		d.liveCertificate(name, rec)
		if object := d.plantedFor[name]; object != "" && rec.State == Removing && meta.CurrentVersion == 0 {
			s.hold(fmt.Sprintf("all is removed but %s, which may be certsync's without its labels", object), byConflict)
		}
		d.step(s)
	}
}

// stuck says why nothing may be taken from a user, or "".
func (d *differ) stuck(user string) (why string, by hold) {
	now := d.successor[user]
	switch guarded := d.holds.user(user); {
	case !d.rules.Policy.takes():
		return d.rules.Policy.holds(Unbind), byPolicy
	case guarded != "":
		return guarded, byGuard
	case now != "" && !d.stays[now] && (d.blocked[now] || d.issues[now] == ""):
		by = byWait
		if rec := d.o.Ledger[now].Record; rec != nil && rec.State == Denied {
			by = byDenial
		}
		return fmt.Sprintf("%s keeps the access until %s has it, which is the same person's name now", user, now), by
	}
	return "", notHeld
}

// lostRecord notes that a certificate may live of which the ledger knows nothing.
func (d *differ) lostRecord(user string) {
	d.note(Note{User: user, Kind: UnknownCertificate,
		Message: "the ledger record is lost; a certificate that nobody accounts for may live, for as long as it was issued"})
}

// remains accounts for one who has left already.
func (d *differ) remains(name string, entry LedgerEntry) {
	_, live := entry.Record.liveUntil(d.o.At)
	if live {
		d.liveCertificate(name, entry.Record)
		return
	}
	d.step(Step{User: name, Action: Purge, Reasons: []Reason{CertificatesExpired}, stage: stageCleanup,
		leave: &leaving{record: entry.Record, recordVersion: entry.Version}})
}

// liveCertificate notes until when a leaver's last certificate lives.
func (d *differ) liveCertificate(name string, rec *Record) {
	until, live := rec.liveUntil(d.o.At)
	if !live {
		return
	}
	message := "the API server goes on accepting their certificate"
	if !slices.ContainsFunc(rec.Certificates, func(c CertificateEntry) bool { return !c.maybe() && c.NotAfter.Equal(until) }) {
		message = "the API server goes on accepting the certificate that was requested for their own key, if it came to be"
	}
	d.note(Note{User: name, Kind: LiveCertificate, Until: &until, Message: message})
}

// purgeActive clears what an active user's good credential has left behind.
func (d *differ) purgeActive(user string, entry LedgerEntry, meta CredentialMeta) {
	s := Step{User: user, Action: Purge, stage: stageCleanup,
		leave: &leaving{record: entry.Record, recordVersion: entry.Version, credential: meta}}
	for _, c := range entry.Record.Certificates {
		if c.Status != Current && !c.NotAfter.After(d.o.At) {
			s.Reasons = []Reason{CertificatesExpired}
		}
	}
	if old := meta.Older(); len(old) > 0 {
		s.Reasons = append(s.Reasons, OldVersions)
		s.Detail = &Detail{Versions: old}
	}
	if len(s.Reasons) > 0 {
		d.step(s)
	}
}
