package plan

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/inventory/shell"
	"github.com/certsync/certsync/reconcile"
)

// MinLifetime is the shortest certificate that the CSR API gives.
const MinLifetime = 10 * time.Minute

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
	if d.Lapsed[u.Name] {
		return
	}
	entry, meta := d.Observed.Ledger[u.Name], d.Observed.Credentials[u.Name]
	spec := d.spec(u)
	d.stays[u.Name] = hasCredential(entry.Record, meta, d.Observed.At)
	reasons, held := d.verdict(u, entry, meta, spec)
	if rec := entry.Record; held == "" && rec != nil && rec.State == reconcile.Denied && !slices.Contains(d.rules.Retry, u.Name) {
		d.denied(u.Name, rec)
		return
	}
	if d.otherKey(u, reasons, spec.Own) {
		reasons = append(reasons, reconcile.RequestChanged)
	}
	if len(reasons) == 0 {
		d.purgeActive(u.Name, entry, meta)
		return
	}
	if held == "" && spec.Expiration < MinLifetime {
		d.note(reconcile.Note{User: u.Name, Kind: reconcile.TooShort, Until: &u.Until,
			Message: "access ends too soon for a certificate, of which the shortest lives 10 minutes; none is issued"})
		d.blocked[u.Name] = !d.stays[u.Name]
		return
	}
	s := reconcile.Step{
		User: u.Name, Action: reconcile.Reissue, Reasons: reasons, Stage: reconcile.StageIssue,
		Detail: &reconcile.Detail{Groups: spec.Groups, Expiration: u.Expiration.String(), PublicKeySHA256: spec.Own.Fingerprint(), Kubeconfig: &spec.Kubeconfig},
		Issue:  &reconcile.Issuance{Spec: spec, Record: entry.Record, RecordVersion: entry.Version, Credential: meta},
	}
	switch reasons[0] {
	case reconcile.NewUser, reconcile.Renamed:
		s.Action = reconcile.Issue
	case reconcile.Expiring:
		s.Action = reconcile.Renew
	}
	held = cmp.Or(held, d.Observed.FrontProxy.Impersonates(u.Name), d.namedByTeam(u, reasons[0], entry.Record))
	s.Hold(held, reconcile.ByConflict)
	if slices.Contains(reasons, reconcile.GroupsChanged) {
		s.Hold(d.guarded.user(u.Name), reconcile.ByGuard)
	}
	s.Hold(d.rules.Policy.Forbids(s.Action), reconcile.ByPolicy)
	if entry.Record == nil && (entry.Problem != "" && held == "" || entry.Problem == "" && d.names[u.Name]) {
		d.lostRecord(u.Name)
	}
	d.issues[u.Name] = reasons[0]
	d.blocked[u.Name] = s.Held != "" && !d.stays[u.Name] || held != ""
	d.step(s)
}

// denied leaves a user alone whose request was denied: asking again every hour would not change whoever denied it. What
// they hold from before serves them until it expires.
func (d *differ) denied(user string, rec *reconcile.Record) {
	d.blocked[user] = !d.stays[user]
	d.note(reconcile.Note{User: user, Kind: reconcile.RequestDenied, Message: fmt.Sprintf("no new certificate: %s (--retry %s asks again)", rec.Reason, shell.Quote(user))})
}

// verdict returns why a user needs a new certificate (none: they don't) and what forbids it.
func (d *differ) verdict(u inventory.User, entry reconcile.LedgerEntry, meta reconcile.CredentialMeta, spec reconcile.CertificateSpec) ([]reconcile.Reason, string) {
	rec := entry.Record
	switch {
	case entry.Problem != "":
		return []reconcile.Reason{reconcile.LedgerUnreadable}, d.conflicting(u.Name, fmt.Sprintf("ledger/%s is no record of this user: %s", u.Name, entry.Problem))
	case rec == nil && d.Observed.State != nil && d.names[u.Name]:
		return []reconcile.Reason{reconcile.LedgerMissing}, ""
	case rec == nil, rec.State == reconcile.Lapsed:
		return d.newcomer(u), d.foreign(u.Name, meta)
	case rec.State == reconcile.Removing && rec.Reason == string(reconcile.UntilPassed):
		return []reconcile.Reason{reconcile.Reinstated}, "" // a lapse that was cut off: within the file, it is the same person
	case rec.State == reconcile.Removed || rec.State == reconcile.Removing:
		return d.returning(u.Name, rec, meta)
	case rec.State == reconcile.Denied && rec.Current() == nil:
		return []reconcile.Reason{reconcile.Retried}, d.foreign(u.Name, meta)
	case rec.State != reconcile.Active && rec.State != reconcile.Denied:
		return []reconcile.Reason{reconcile.LedgerUnreadable}, d.conflicting(u.Name,
			fmt.Sprintf("ledger/%s has state %q, which this version of certsync does not set", u.Name, rec.State))
	}
	return d.activeVerdict(u, rec, meta, spec)
}

// newcomer is why somebody without a record gets a certificate.
func (d *differ) newcomer(u inventory.User) []reconcile.Reason {
	for _, old := range u.Previously {
		if rec := d.Observed.Ledger[old].Record; rec != nil && rec.State != reconcile.Removed && rec.State != reconcile.Lapsed || d.names[old] {
			return []reconcile.Reason{reconcile.Renamed}
		}
	}
	return []reconcile.Reason{reconcile.NewUser}
}

// otherKey reports whether the new certificate of a user who had access, under any name, is for another key than the last
// one. It is false if reasons already says so. A user's first own key counts as another one. So does any own key if no
// earlier certificate is known.
func (d *differ) otherKey(u inventory.User, reasons []reconcile.Reason, own *reconcile.OwnKey) bool {
	rec := d.Observed.Ledger[u.Name].Record
	isNew := slices.Contains(reasons, reconcile.NewUser) && (rec == nil || rec.State != reconcile.Lapsed)
	if len(reasons) == 0 || isNew || slices.Contains(reasons, reconcile.RequestChanged) {
		return false
	}
	if last := rec.Last(); last != nil {
		return last.PublicKeySHA256 != own.Fingerprint()
	}
	known := false
	for _, name := range u.Previously {
		old := d.Observed.Ledger[name].Record
		if last := old.Last(); last != nil && old.State != reconcile.Removed {
			if known = true; last.PublicKeySHA256 != own.Fingerprint() {
				return true
			}
		}
	}
	return !known && own != nil
}

// conflicting is a conflict about a user's entries in Vault, unless somebody adopts what stands there.
func (d *differ) conflicting(user, what string) string {
	if d.rules.Adopts("users/" + user) {
		return ""
	}
	return fmt.Sprintf("%s (look at who wrote it; then delete it, or take it over and overwrite it: --adopt %s)", what, shell.Quote("users/"+user))
}

// returning decides on a user whose name was removed, or is being removed. Whoever holds the old certificate would get
// what the name gets now, so the name waits until that has expired, unless somebody says that it is the same person.
func (d *differ) returning(name string, rec *reconcile.Record, meta reconcile.CredentialMeta) ([]reconcile.Reason, string) {
	until, live := rec.LiveUntil(d.Observed.At)
	switch {
	case live && !slices.Contains(d.rules.Reinstate, name):
		return []reconcile.Reason{reconcile.NewUser}, fmt.Sprintf(
			"the name is quarantined: its user was removed on %s (%s), and whoever holds that certificate would get this access until %s (--reinstate %s if it is the same person; else wait, or use another name)",
			rec.Since.UTC().Format(time.DateOnly), rec.Reason, reconcile.TimeText(until), shell.Quote(name))
	case rec.State == reconcile.Removing:
		return []reconcile.Reason{reconcile.Reinstated}, "" // the removal was cut off: what stands in Vault is still certsync's
	case live:
		return []reconcile.Reason{reconcile.Reinstated}, d.foreign(name, meta)
	}
	return []reconcile.Reason{reconcile.NewUser}, d.foreign(name, meta)
}

// activeVerdict compares an active record with the credential's metadata and the inventory.
func (d *differ) activeVerdict(u inventory.User, rec *reconcile.Record, meta reconcile.CredentialMeta, spec reconcile.CertificateSpec) ([]reconcile.Reason, string) {
	cur := rec.Current()
	if cur == nil {
		// Two runs at once: one's record, the other's credential. Both are certsync's.
		return []reconcile.Reason{reconcile.CredentialMissing}, ""
	}
	var reasons []reconcile.Reason
	if rec.State == reconcile.Denied {
		reasons = append(reasons, reconcile.Retried)
	}
	if meta.CurrentVersion > cur.CredentialVersion {
		reasons = append(reasons, reconcile.ForeignCredential)
		held := d.conflicting(u.Name, fmt.Sprintf("users/%s is at version %d, and certsync wrote version %d: somebody else wrote there",
			u.Name, meta.CurrentVersion, cur.CredentialVersion))
		if held != "" {
			return reasons, held
		}
	} else if now := meta.Current(); meta.CurrentVersion < cur.CredentialVersion || now.Deleted || now.Destroyed {
		reasons = append(reasons, reconcile.CredentialMissing)
	}
	reasons = append(reasons, differences(spec, *cur, rec.Kubeconfig)...)
	due, clamped := renewal{policy: d.Inventory.Defaults.RenewBefore, owner: d.Inventory.Owner, user: u.Name}.due(*cur)
	if clamped {
		d.note(reconcile.Note{User: u.Name, Kind: reconcile.RenewBeforeTooLong, Message: fmt.Sprintf(
			"renewBefore is %s, over 90%% of the certificate's life of %s; a third is taken",
			d.Inventory.Defaults.RenewBefore.Duration, cur.NotAfter.Sub(cur.IssuedAt).Round(time.Minute))})
	}
	// A certificate that ends with the user's access has nothing to be renewed for.
	if !d.Observed.At.Before(due) && (u.Until.IsZero() || u.Until.Sub(cur.NotAfter) >= MinLifetime) {
		reasons = append(reasons, reconcile.Expiring)
	}
	return reasons, ""
}

// namedByTeam says that a team has named somebody new whom bindings of others serve, or is "". The inventory gives a team its
// groups; with the name of an administrator it would take all that they have.
func (d *differ) namedByTeam(u inventory.User, why reconcile.Reason, rec *reconcile.Record) string {
	others := d.serves[reconcile.UserSubject(u.Name)]
	if u.Team == "" || why != reconcile.NewUser || rec != nil && rec.State == reconcile.Lapsed || len(others) == 0 {
		return ""
	}
	return fmt.Sprintf(
		"the file of team %s names somebody new to whom %s gives %s, and it is not the team's to give (if it is the same person, put them into the inventory itself, and into the team's file when that is applied; else use another name)",
		u.Team, others[0].Object(), roleOf(others[0]))
}

// foreign says that something stands in users/<user> that the ledger knows nothing of, or "".
func (d *differ) foreign(user string, meta reconcile.CredentialMeta) string {
	if meta.CurrentVersion == 0 {
		return ""
	}
	return d.conflicting(user, fmt.Sprintf("users/%s holds version %d of a secret that the ledger does not know", user, meta.CurrentVersion))
}

// hasCredential reports whether the user can use a credential now, so that their bindings need not wait for a new one.
func hasCredential(rec *reconcile.Record, meta reconcile.CredentialMeta, now time.Time) bool {
	if rec == nil || rec.State != reconcile.Active && rec.State != reconcile.Denied || rec.Current() == nil {
		return false
	}
	v := meta.Current()
	cur := rec.Current()
	return meta.CurrentVersion == cur.CredentialVersion && !v.Deleted && !v.Destroyed && cur.NotAfter.After(now)
}

// spec is the certificate that u should have.
func (d *differ) spec(u inventory.User) reconcile.CertificateSpec {
	s := reconcile.CertificateSpec{
		User: u.Name, Groups: reconcile.SortedSet(u.Groups), Expiration: u.Expiration,
		Algorithm: d.Inventory.Defaults.KeyAlgorithm, Own: reconcile.OwnKeyOf(u), Kubeconfig: d.plan.Endpoint.Ref(),
	}
	if left := u.Until.Sub(d.Observed.At); !u.Until.IsZero() && left < s.Expiration {
		s.Expiration = left.Truncate(time.Second)
	}
	return s
}
