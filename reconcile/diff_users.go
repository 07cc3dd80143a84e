package reconcile

import (
	"cmp"
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
//	none, or removed    | any, in a team's file, and a binding of others' serves the name: conflict
//	denied              | any                          | a note; with --retry, issue or reissue: retried
//	suspended           | any                          | conflict: written by a later certsync
//	active, none current| any                          | reissue: credential-missing
//	active              | newer than the ledger says   | conflict
//	active              | gone, older, unreadable      | reissue: credential-missing
//	active              | as the ledger says           | good; compare the certificate
//	lapsed              | none of its certificates is current: like a new user; no quarantine within the file
//
// --adopt users/NAME lifts the conflicts, but for quarantine and a team's: what stands there is overwritten. A new user who had
// another name before is renamed.
func (d *differ) credential(u inventory.User) {
	if d.lapsed[u.Name] {
		return
	}
	entry, meta := d.o.Ledger[u.Name], d.o.Credentials[u.Name]
	spec := d.spec(u)
	d.stays[u.Name] = holdsCredential(entry.Record, meta, d.o.At)
	reasons, held := d.verdict(u, entry, meta, spec)
	if rec := entry.Record; held == "" && rec != nil && rec.State == Denied && !slices.Contains(d.rules.Retry, u.Name) {
		d.denied(u.Name, rec)
		return
	}
	if d.otherKey(u, reasons, spec.own) {
		reasons = append(reasons, RequestChanged)
	}
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
		User: u.Name, Action: Reissue, Reasons: reasons, stage: stageIssue,
		Detail: &Detail{Groups: spec.groups, Expiration: u.Expiration.String(), PublicKeySHA256: spec.own.print(), Kubeconfig: &spec.kubeconfig},
		issue:  &issuance{spec: spec, record: entry.Record, recordVersion: entry.Version, credential: meta},
	}
	switch reasons[0] {
	case NewUser, Renamed:
		s.Action = Issue
	case Expiring:
		s.Action = Renew
	}
	held = cmp.Or(held, d.o.FrontProxy.impersonates(u.Name), d.namedByTeam(u, reasons[0], entry.Record))
	s.hold(held, byConflict)
	if slices.Contains(reasons, GroupsChanged) {
		s.hold(d.holds.user(u.Name), byGuard)
	}
	s.hold(d.rules.Policy.holds(s.Action), byPolicy)
	if entry.Record == nil && (entry.Problem != "" && held == "" || entry.Problem == "" && d.names[u.Name]) {
		d.lostRecord(u.Name)
	}
	d.issues[u.Name] = reasons[0]
	d.blocked[u.Name] = s.Held != "" && !d.stays[u.Name] || held != ""
	d.step(s)
}

// denied leaves a user alone whose request was denied: asking again every hour would not change whoever denied it. What
// they hold from before serves them until it expires.
func (d *differ) denied(user string, rec *Record) {
	d.blocked[user] = !d.stays[user]
	d.note(Note{User: user, Kind: RequestDenied, Message: fmt.Sprintf("no new certificate: %s (--retry %s asks again)", rec.Reason, inventory.ShellQuote(user))})
}

// verdict returns why a user needs a new certificate (none: they don't) and what forbids it.
func (d *differ) verdict(u inventory.User, entry LedgerEntry, meta CredentialMeta, spec certificateSpec) ([]Reason, string) {
	rec := entry.Record
	switch {
	case entry.Problem != "":
		return []Reason{LedgerUnreadable}, d.conflicting(u.Name, fmt.Sprintf("ledger/%s is no record of this user: %s", u.Name, entry.Problem))
	case rec == nil && d.o.State != nil && d.names[u.Name]:
		return []Reason{LedgerMissing}, ""
	case rec == nil, rec.State == Lapsed:
		return d.newcomer(u), d.foreign(u.Name, meta)
	case rec.State == Removing && rec.Reason == string(UntilPassed):
		return []Reason{Reinstated}, "" // a lapse that was cut off: within the file, it is the same person
	case rec.State == Removed || rec.State == Removing:
		return d.returning(u.Name, rec, meta)
	case rec.State == Denied && rec.current() == nil:
		return []Reason{Retried}, d.foreign(u.Name, meta)
	case rec.State != Active && rec.State != Denied:
		return []Reason{LedgerUnreadable}, d.conflicting(u.Name,
			fmt.Sprintf("ledger/%s has state %q, which this version of certsync does not set", u.Name, rec.State))
	}
	return d.activeVerdict(u, rec, meta, spec)
}

// newcomer is why somebody without a record gets a certificate.
func (d *differ) newcomer(u inventory.User) []Reason {
	for _, old := range u.Previously {
		if rec := d.o.Ledger[old].Record; rec != nil && rec.State != Removed && rec.State != Lapsed || d.names[old] {
			return []Reason{Renamed}
		}
	}
	return []Reason{NewUser}
}

// otherKey reports whether the new certificate of a user who had access, under any name, is for another key than the last
// one. It is false if reasons already says so. A user's first own key counts as another one. So does any own key if no
// earlier certificate is known.
func (d *differ) otherKey(u inventory.User, reasons []Reason, own *ownKey) bool {
	rec := d.o.Ledger[u.Name].Record
	isNew := slices.Contains(reasons, NewUser) && (rec == nil || rec.State != Lapsed)
	if len(reasons) == 0 || isNew || slices.Contains(reasons, RequestChanged) {
		return false
	}
	if last := rec.last(); last != nil {
		return last.PublicKeySHA256 != own.print()
	}
	known := false
	for _, name := range u.Previously {
		old := d.o.Ledger[name].Record
		if last := old.last(); last != nil && old.State != Removed {
			if known = true; last.PublicKeySHA256 != own.print() {
				return true
			}
		}
	}
	return !known && own != nil
}

// conflicting is a conflict about a user's entries in Vault, unless somebody adopts what stands there.
func (d *differ) conflicting(user, what string) string {
	if d.rules.adopts("users/" + user) {
		return ""
	}
	return fmt.Sprintf("%s (look at who wrote it; then delete it, or take it over and overwrite it: --adopt %s)", what, inventory.ShellQuote("users/"+user))
}

// returning decides on a user whose name was removed, or is being removed. Whoever holds the old certificate would get
// what the name gets now, so the name waits until that has expired, unless somebody says that it is the same person.
func (d *differ) returning(name string, rec *Record, meta CredentialMeta) ([]Reason, string) {
	until, live := rec.liveUntil(d.o.At)
	switch {
	case live && !slices.Contains(d.rules.Reinstate, name):
		return []Reason{NewUser}, fmt.Sprintf(
			"the name is quarantined: its user was removed on %s (%s), and whoever holds that certificate would get this access until %s (--reinstate %s if it is the same person; else wait, or use another name)",
			rec.Since.UTC().Format(time.DateOnly), rec.Reason, until.Format(time.RFC3339), inventory.ShellQuote(name))
	case rec.State == Removing:
		return []Reason{Reinstated}, "" // the removal was cut off: what stands in Vault is still certsync's
	case live:
		return []Reason{Reinstated}, d.foreign(name, meta)
	}
	return []Reason{NewUser}, d.foreign(name, meta)
}

// activeVerdict compares an active record with the credential's metadata and the inventory.
func (d *differ) activeVerdict(u inventory.User, rec *Record, meta CredentialMeta, spec certificateSpec) ([]Reason, string) {
	cur := rec.current()
	if cur == nil {
		// Two runs at once: one's record, the other's credential. Both are certsync's.
		return []Reason{CredentialMissing}, ""
	}
	var reasons []Reason
	if rec.State == Denied {
		reasons = append(reasons, Retried)
	}
	if meta.CurrentVersion > cur.CredentialVersion {
		reasons = append(reasons, ForeignCredential)
		held := d.conflicting(u.Name, fmt.Sprintf("users/%s is at version %d, and certsync wrote version %d: somebody else wrote there",
			u.Name, meta.CurrentVersion, cur.CredentialVersion))
		if held != "" {
			return reasons, held
		}
	} else if now := meta.Current(); meta.CurrentVersion < cur.CredentialVersion || now.Deleted || now.Destroyed {
		reasons = append(reasons, CredentialMissing)
	}
	reasons = append(reasons, differences(spec, *cur, rec.Kubeconfig)...)
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

// namedByTeam says that a team has named somebody new whom bindings of others serve, or is "". The inventory gives a team its
// groups; with the name of an administrator it would take all that they have.
func (d *differ) namedByTeam(u inventory.User, why Reason, rec *Record) string {
	others := d.serves[UserSubject(u.Name)]
	if u.Team == "" || why != NewUser || rec != nil && rec.State == Lapsed || len(others) == 0 {
		return ""
	}
	return fmt.Sprintf(
		"the file of team %s names somebody new to whom %s gives %s, and it is not the team's to give (if it is the same person, put them into the inventory itself, and into the team's file when that is applied; else use another name)",
		u.Team, others[0].Object(), granted(others[0]))
}

// foreign says that something stands in users/<user> that the ledger knows nothing of, or "".
func (d *differ) foreign(user string, meta CredentialMeta) string {
	if meta.CurrentVersion == 0 {
		return ""
	}
	return d.conflicting(user, fmt.Sprintf("users/%s holds version %d of a secret that the ledger does not know", user, meta.CurrentVersion))
}

// holdsCredential reports whether the user can use a credential now, so that their bindings need not wait for a new one.
func holdsCredential(rec *Record, meta CredentialMeta, now time.Time) bool {
	if rec == nil || rec.State != Active && rec.State != Denied || rec.current() == nil {
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
		algorithm: d.inv.Defaults.KeyAlgorithm, own: ownKeyOf(u), kubeconfig: d.plan.endpoint.ref(),
	}
	if left := u.Until.Sub(d.o.At); !u.Until.IsZero() && left < s.expiration {
		s.expiration = left.Truncate(time.Second)
	}
	return s
}
