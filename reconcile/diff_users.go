package reconcile

import (
	"fmt"
	"slices"
	"time"

	"github.com/certsync/certsync/inventory"
)

// minLifetime is the shortest certificate that the CSR API gives.
const minLifetime = 10 * time.Minute

// credential decides what a user of the inventory needs. The whole table:
//
//	ledger record       | users/<user> in Vault        | verdict
//	unreadable          | any                          | conflict
//	none                | nothing, no binding of ours  | issue: new-user
//	none                | any, and a binding of ours   | reissue: ledger-missing (needs the state: it is our Vault)
//	none                | something else's             | conflict
//	removing, removed   | any, a certificate lives     | conflict: quarantined
//	removing, reinstated| any                          | reissue: reinstated; so with a lapse that was cut off
//	removed, reinstated | nothing                      | reissue: reinstated
//	removed             | nothing, all expired         | issue: new-user
//	removed             | something                    | conflict
//	denied, suspended   | any                          | conflict: written by a later certsync
//	active, none current| any                          | reissue: credential-missing
//	active              | newer than the ledger says   | conflict
//	active              | gone, older, unreadable      | reissue: credential-missing
//	active              | as the ledger says           | good; compare the certificate
//	lapsed              | none of its certificates is current: like a new user; no quarantine within the file
func (d *differ) credential(u inventory.User) {
	if d.lapsed[u.Name] {
		return
	}
	entry, meta := d.o.Ledger[u.Name], d.o.Credentials[u.Name]
	spec := d.spec(u)
	reasons, held := d.verdict(u, entry, meta, spec)
	d.stays[u.Name] = holds(entry.Record, meta, d.o.At)
	if len(reasons) == 0 {
		d.purgeActive(u.Name, entry, meta)
		return
	}
	if held == "" && spec.expiration < minLifetime {
		d.note(Note{User: u.Name, Kind: TooShort, Until: &u.Until,
			Message: "access ends too soon for a certificate, of which the shortest lives 10 minutes; none is issued"})
		d.blocked[u.Name] = !d.stays[u.Name]
		return
	}
	s := Step{
		User: u.Name, Action: Reissue, Reasons: reasons, Held: held, stage: stageIssue,
		Detail: &Detail{Groups: spec.groups, Expiration: u.Expiration.String(), Kubeconfig: &spec.kubeconfig},
		issue:  &issuance{spec: spec, record: entry.Record, recordVersion: entry.Version, credential: meta},
	}
	switch reasons[0] {
	case NewUser:
		s.Action = Issue
	case Expiring:
		s.Action = Renew
	}
	if entry.Record == nil && entry.Problem == "" && d.names[u.Name] {
		d.note(Note{User: u.Name, Kind: UnknownCertificate,
			Message: "the ledger record is lost; a certificate that nobody accounts for may live, for as long as it was issued"})
	}
	d.issues[u.Name] = reasons[0]
	d.blocked[u.Name] = held != ""
	d.step(s)
}

// verdict returns why a user needs a new certificate (none: they don't) and what forbids it.
func (d *differ) verdict(u inventory.User, entry LedgerEntry, meta CredentialMeta, spec certificateSpec) ([]Reason, string) {
	rec := entry.Record
	switch {
	case entry.Problem != "":
		return []Reason{LedgerUnreadable}, fmt.Sprintf(
			"ledger/%s is no record of this user: %s (look at who wrote it; delete it to have the user issued anew)", u.Name, entry.Problem)
	case rec == nil && d.o.State != nil && d.names[u.Name]:
		return []Reason{LedgerMissing}, ""
	case rec == nil, rec.State == Lapsed:
		return []Reason{NewUser}, foreign(u.Name, meta)
	case rec.State == Removing && rec.Reason == string(UntilPassed):
		return []Reason{Reinstated}, "" // a lapse that was cut off: within the file, it is the same person
	case rec.State == Removed || rec.State == Removing:
		return d.returning(u.Name, rec, meta)
	case rec.State != Active:
		return []Reason{LedgerUnreadable}, fmt.Sprintf("ledger/%s has state %q, which this version of certsync does not set", u.Name, rec.State)
	}
	return d.activeVerdict(u, rec, meta, spec)
}

// returning decides on a user whose name was removed, or is being removed. Whoever holds the old certificate would get
// what the name gets now, so the name waits until that has expired, unless somebody says that it is the same person.
func (d *differ) returning(name string, rec *Record, meta CredentialMeta) ([]Reason, string) {
	until, live := rec.liveUntil(d.o.At)
	switch {
	case live && !slices.Contains(d.lifts.Reinstate, name):
		return []Reason{NewUser}, fmt.Sprintf(
			"the name is quarantined: its user was removed on %s (%s), and whoever holds that certificate would get this access until %s (--reinstate %s if it is the same person; else wait, or use another name)",
			rec.Since.UTC().Format(time.DateOnly), rec.Reason, until.Format(time.RFC3339), name)
	case rec.State == Removing:
		return []Reason{Reinstated}, "" // the removal was cut off: what stands in Vault is still certsync's
	case live:
		return []Reason{Reinstated}, foreign(name, meta)
	}
	return []Reason{NewUser}, foreign(name, meta)
}

// activeVerdict compares an active record with the credential's metadata and the inventory.
func (d *differ) activeVerdict(u inventory.User, rec *Record, meta CredentialMeta, spec certificateSpec) ([]Reason, string) {
	cur := rec.current()
	if cur == nil {
		// Two runs at once: one's record, the other's credential. Both are certsync's.
		return []Reason{CredentialMissing}, ""
	}
	if meta.CurrentVersion > cur.CredentialVersion {
		return []Reason{ForeignCredential}, fmt.Sprintf(
			"users/%s is at version %d, and certsync wrote version %d: somebody else wrote there (look at who; delete it to have the credential written anew)",
			u.Name, meta.CurrentVersion, cur.CredentialVersion)
	}
	var reasons []Reason
	if now := meta.Current(); meta.CurrentVersion < cur.CredentialVersion || now.Deleted || now.Destroyed {
		reasons = append(reasons, CredentialMissing)
	}
	reasons = append(reasons, spec.differences(*cur, rec.Kubeconfig)...)
	due, clamped := renewal{policy: d.inv.Defaults.RenewBefore, owner: d.inv.Owner, user: u.Name}.due(*cur)
	if clamped {
		d.note(Note{User: u.Name, Kind: RenewBeforeTooLong, Message: fmt.Sprintf(
			"renewBefore is %s, over 90%% of the certificate's life of %s; a third is taken",
			d.inv.Defaults.RenewBefore.Duration, cur.NotAfter.Sub(cur.IssuedAt).Round(time.Minute))})
	}
	// A certificate that ends with the user's access has nothing to be renewed for.
	if !d.o.At.Before(due) && (u.Until.IsZero() || u.Until.Sub(cur.NotAfter) >= minLifetime) {
		reasons = append(reasons, Expiring)
	}
	return reasons, ""
}

// foreign says that something stands in users/<user> that the ledger knows nothing of, or "".
func foreign(user string, meta CredentialMeta) string {
	if meta.CurrentVersion == 0 {
		return ""
	}
	return fmt.Sprintf("users/%s holds version %d of a secret that the ledger does not know (look at whose it is; delete it, or name the user otherwise)",
		user, meta.CurrentVersion)
}

// holds reports whether the user can use a credential now, so that their bindings need not wait for a new one.
func holds(rec *Record, meta CredentialMeta, now time.Time) bool {
	if rec == nil || rec.State != Active || rec.current() == nil {
		return false
	}
	v := meta.Current()
	cur := rec.current()
	return meta.CurrentVersion == cur.CredentialVersion && !v.Deleted && !v.Destroyed && cur.NotAfter.After(now)
}

// spec is the certificate that u should have.
func (d *differ) spec(u inventory.User) certificateSpec {
	s := certificateSpec{
		user: u.Name, groups: sortedSet(u.Groups), expiration: u.Expiration,
		algorithm: d.inv.Defaults.KeyAlgorithm, kubeconfig: d.plan.endpoint.ref(),
	}
	if left := u.Until.Sub(d.o.At); !u.Until.IsZero() && left < s.expiration {
		s.expiration = left.Truncate(time.Second)
	}
	return s
}

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
func (d *differ) leaver(name string) {
	entry, meta := d.o.Ledger[name], d.o.Credentials[name]
	l := &leaving{record: entry.Record, recordVersion: entry.Version, credential: meta, final: Removed, reason: NotInInventory}
	if d.lapsed[name] {
		l.final, l.reason = Lapsed, UntilPassed
	}
	s := Step{User: name, Action: Remove, Reasons: []Reason{l.reason}, stage: stageLeave, leave: l}
	rec := entry.Record
	switch {
	case entry.Problem != "":
		s.Reasons = append([]Reason{LedgerUnreadable}, s.Reasons...)
		s.Held = fmt.Sprintf("ledger/%s is no record of this user: %s (look at who wrote it, then delete it)", name, entry.Problem)
		d.step(s)
	case rec == nil && meta.CurrentVersion > 0 && d.names[name] && d.o.State != nil:
		d.note(Note{User: name, Kind: UnknownCertificate,
			Message: "the ledger record is lost; a certificate that nobody accounts for may live, for as long as it was issued"})
		d.step(s)
	case rec == nil && meta.CurrentVersion > 0:
		// It may hold the key of somebody who left and whose record was lost: nothing to pass over in silence.
		s.Reasons = append([]Reason{ForeignCredential}, s.Reasons...)
		s.Held = foreign(name, meta)
		d.step(s)
	case rec == nil:
	case meta.CurrentVersion == 0 && (rec.State == Removed || rec.State == Lapsed && d.lapsed[name]):
		d.remains(name, entry)
	default:
		d.liveCertificate(name, rec)
		d.step(s)
	}
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
	if until, live := rec.liveUntil(d.o.At); live {
		d.note(Note{User: name, Kind: LiveCertificate, Until: &until, Message: fmt.Sprintf(
			"without bindings of certsync's, but a certificate that the API server accepts until %s", until.Format(time.RFC3339))})
	}
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
