package plan

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/inventory/shell"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/endpoint"
	"github.com/certsync/certsync/reconcile/plan/index"
	"github.com/certsync/certsync/reconcile/renewal"
	"github.com/certsync/certsync/reconcile/retention"
)

// MinLifetime is the shortest certificate that the CSR API gives.
const MinLifetime = 10 * time.Minute

// verdict is what one user's credential needs.
type verdict struct {
	step  *reconcile.Step // issue, renew, reissue, purge, or for a leaver remove or purge; nil: nothing
	notes []reconcile.Note

	stays   bool // the user holds a credential that can be used now
	blocked bool // the user gets nothing new, and the step or a note says why
	denied  bool // the user's request was denied, and nobody has asked for another
}

// issues is why the user gets a certificate in this run, "" if they do not.
func (v verdict) issues() reconcile.Reason {
	if v.step == nil || v.step.Issue == nil {
		return ""
	}
	return v.step.Reasons[0]
}

func (v *verdict) note(n reconcile.Note) { v.notes = append(v.notes, n) }

// user decides what a user of the inventory needs. The whole table, of which the first row that fits counts:
//
//	index                | ledger record     | users/<user> in Vault      | verdict
//	any                  | unreadable        | any                        | conflict
//	may live, stored     | none              | any, but of a leaver's     | reissue: ledger-missing
//	any                  | no version left   | nothing                    | reissue: ledger-missing
//	any                  | none, removed     | nothing                    | issue: new-user, from-reached
//	any                  | none, removed     | something                  | conflict
//	any                  | removing          | the record's, nothing      | reissue: reinstated
//	any                  | removing          | something else             | conflict
//	any                  | denied            | any                        | a note; with --retry, issue or reissue: retried
//	any                  | active, none current | the record's, nothing   | reissue: credential-missing
//	any                  | active, none current | something else          | conflict
//	any                  | active            | newer than the ledger says | conflict
//	any                  | active            | gone, older, unreadable    | reissue: credential-missing
//	any                  | active            | as the ledger says         | good; compare the certificate
//
// A user whose current certificate is of an earlier epoch is reissued: revoked. In a team's file, a new user whom bindings of
// administrators serve is a conflict. --adopt users/NAME lifts the conflicts, but for a team's: what stands there is
// overwritten. A new user who had another name before is renamed.
func user(x *index.Index, u inventory.User) verdict {
	if !x.Active[u.Name] { // see leaver
		return verdict{}
	}
	entry, meta := x.Observed.Ledger[u.Name], x.Observed.Credentials[u.Name]
	spec := certificateSpec(x, u)
	v := verdict{stays: hasCredential(entry.Record, meta, x.Observed.At) && entry.Record.Current().Epoch == spec.Epoch}
	reasons, conflict := reasonsFor(x, u, spec, &v)
	if rec := entry.Record; conflict == "" && rec != nil && rec.State == reconcile.Denied && !slices.Contains(x.Rules.Retry, u.Name) {
		// Asking again every hour would not change whoever denied it. The user's earlier certificate serves until it expires.
		v.blocked, v.denied = !v.stays, true
		v.note(reconcile.Note{User: u.Name, Kind: reconcile.RequestDenied,
			Message: fmt.Sprintf("no new certificate: %s (--retry %s requests it again)", rec.Reason, shell.Quote(u.Name))})
		return v
	}
	if otherKey(x, u, reasons, spec.Own) {
		reasons = append(reasons, reconcile.RequestChanged)
	}
	if len(reasons) == 0 {
		v.step = purgeActive(x, u.Name)
		return v
	}
	if conflict == "" && spec.Expiration < MinLifetime {
		v.note(reconcile.Note{User: u.Name, Kind: reconcile.TooShort, Until: &u.Until,
			Message: "access ends in less than 10 minutes, the shortest life of a certificate; certsync issues none"})
		v.blocked = !v.stays
		return v
	}
	v.step = &reconcile.Step{
		User: u.Name, Username: spec.Username(), Action: reconcile.Reissue, Reasons: reasons, Stage: reconcile.StageIssue,
		Detail: &reconcile.Detail{Groups: spec.Groups, Expiration: u.Expiration.String(), PublicKeySHA256: spec.Own.Fingerprint(), Kubeconfig: &spec.Kubeconfig},
		Issue:  &reconcile.Issuance{Spec: spec, Record: entry.Record, RecordVersion: entry.Version, Credential: meta, Stays: v.stays},
	}
	switch reasons[0] {
	case reconcile.NewUser, reconcile.FromReached, reconcile.Renamed:
		v.step.Action = reconcile.Issue
	case reconcile.Expiring:
		v.step.Action = reconcile.Renew
	}
	conflict = cmp.Or(conflict, misfit(spec), x.Observed.FrontProxy.Impersonates(u.Name), namedByTeam(x, u), retention.Limits(u.Name, entry, meta))
	v.step.Hold(conflict, reconcile.ByConflict)
	v.blocked = conflict != ""
	if slices.Contains(reasons, reconcile.LedgerMissing) || entry.Problem != "" && conflict == "" {
		v.note(lostRecord(u.Name))
	}
	return v
}

// reasonsFor returns why a user needs a new certificate (none: they don't) and what forbids it.
func reasonsFor(x *index.Index, u inventory.User, spec reconcile.CertificateSpec, v *verdict) (reasons []reconcile.Reason, conflict string) {
	entry, meta := x.Observed.Ledger[u.Name], x.Observed.Credentials[u.Name]
	rec := entry.Record
	name, living := x.Living(u.Name)
	switch {
	case x.Epochs.Void[u.Name]:
		return []reconcile.Reason{reconcile.CertificateRevoked}, cmp.Or(namedByTeam(x, u), tooLong(x, u.Name))
	case entry.Problem != "":
		return []reconcile.Reason{reconcile.LedgerUnreadable}, unreadable(x, u.Name)
	case rec == nil && living && name.Stored && (meta.CurrentVersion > 0 || !name.Left):
		return []reconcile.Reason{reconcile.LedgerMissing}, ""
	case rec == nil && entry.Lost:
		return []reconcile.Reason{reconcile.LedgerMissing}, foreign(x, u.Name, meta)
	case rec != nil && rec.State == reconcile.Removing:
		return []reconcile.Reason{reconcile.Reinstated}, unknownVersion(x, u.Name, rec, meta) // the removal was cut off
	case rec != nil && storedLate(x, u.Name) && x.Names[u.Name].Left: // a writer of one path can write such a record of anybody
		return newcomer(x, u), ""
	case rec == nil || rec.State == reconcile.Removed:
		return newcomer(x, u), foreign(x, u.Name, meta)
	case rec.State == reconcile.Denied && rec.Current() == nil:
		return []reconcile.Reason{reconcile.Retried}, foreign(x, u.Name, meta)
	}
	return activeReasons(x, u, spec, v)
}

// newcomer is why somebody without a record gets a certificate.
func newcomer(x *index.Index, u inventory.User) []reconcile.Reason {
	for _, old := range u.Previously {
		rec := x.Observed.Ledger[old].Record
		_, living := x.Living(old)
		if rec != nil && rec.State != reconcile.Removed || rec == nil && living {
			return []reconcile.Reason{reconcile.Renamed}
		}
	}
	if x.Reached(u.From) {
		return []reconcile.Reason{reconcile.FromReached}
	}
	return []reconcile.Reason{reconcile.NewUser}
}

// begins reports whether the reasons are those of a user's first certificate, or the first one since an end.
func begins(reasons []reconcile.Reason) bool {
	return slices.Contains(reasons, reconcile.NewUser) || slices.Contains(reasons, reconcile.FromReached)
}

// otherKey reports whether the new certificate of a user who had access, under any name, is for another key than the last
// one. It is false if reasons already says so. A user's first own key counts as another one. So does any own key if no
// earlier certificate is known.
func otherKey(x *index.Index, u inventory.User, reasons []reconcile.Reason, own *reconcile.OwnKey) bool {
	rec := x.Observed.Ledger[u.Name].Record
	isNew := begins(reasons) && !rec.Ended()
	if len(reasons) == 0 || isNew || slices.Contains(reasons, reconcile.RequestChanged) {
		return false
	}
	if last := rec.Last(); last != nil {
		return last.PublicKeySHA256 != own.Fingerprint()
	}
	if rec.Ended() {
		return false
	}
	known := false
	for _, name := range u.Previously {
		old := x.Observed.Ledger[name].Record
		if last := old.Last(); last != nil && old.State != reconcile.Removed {
			if known = true; last.PublicKeySHA256 != own.Fingerprint() {
				return true
			}
		}
	}
	return !known && own != nil
}

// activeReasons compares an active record with the credential's metadata and the inventory.
func activeReasons(x *index.Index, u inventory.User, spec reconcile.CertificateSpec, v *verdict) ([]reconcile.Reason, string) {
	rec, meta := x.Observed.Ledger[u.Name].Record, x.Observed.Credentials[u.Name]
	cur := rec.Current()
	if cur == nil {
		return []reconcile.Reason{reconcile.CredentialMissing}, unknownVersion(x, u.Name, rec, meta)
	}
	var reasons []reconcile.Reason
	if cur.Epoch != spec.Epoch {
		reasons = append(reasons, reconcile.CertificateRevoked)
	}
	if rec.State == reconcile.Denied {
		reasons = append(reasons, reconcile.Retried)
	}
	if meta.CurrentVersion > cur.CredentialVersion {
		reasons = append(reasons, reconcile.ForeignCredential)
		held := conflicting(x, u.Name, fmt.Sprintf("users/%s is at version %d, and certsync wrote version %d: somebody else wrote there",
			u.Name, meta.CurrentVersion, cur.CredentialVersion))
		if held != "" {
			return reasons, held
		}
	} else if now := meta.Current(); meta.CurrentVersion < cur.CredentialVersion || now.Deleted || now.Destroyed {
		reasons = append(reasons, reconcile.CredentialMissing)
	}
	reasons = append(reasons, differences(spec, *cur)...)
	reasons = append(reasons, endpoint.Changes(x.Endpoint, rec.Kubeconfig)...)
	due, clamped := renewal.Due(x.Inventory.Defaults.RenewBefore, x.Inventory.Owner, u.Name, *cur)
	if clamped {
		v.note(reconcile.Note{User: u.Name, Kind: reconcile.RenewBeforeTooLong, Message: fmt.Sprintf(
			"renewBefore is %s, over 90%% of the certificate's life of %s; certsync uses a third of the life instead",
			inventory.DurationText(x.Inventory.Defaults.RenewBefore.Duration), inventory.DurationText(cur.NotAfter.Sub(cur.IssuedAt).Round(time.Minute)))})
	}
	// A certificate that ends with the user's access has nothing to be renewed for.
	if !x.Observed.At.Before(due) && (u.Until.IsZero() || u.Until.Sub(cur.NotAfter) >= MinLifetime) {
		reasons = append(reasons, reconcile.Expiring)
	}
	return reasons, ""
}

// differences compares the certificate that a user should have with the one that they have.
func differences(s reconcile.CertificateSpec, has reconcile.CertificateEntry) []reconcile.Reason {
	var reasons []reconcile.Reason
	if !slices.Equal(has.Groups, s.Groups) {
		reasons = append(reasons, reconcile.GroupsChanged)
	}
	if has.PublicKeySHA256 != s.Own.Fingerprint() {
		reasons = append(reasons, reconcile.RequestChanged)
	}
	if s.Own == nil && has.KeyAlgorithm != string(s.Algorithm) { // of their own they may have any
		reasons = append(reasons, reconcile.KeyAlgorithmChanged)
	}
	return reasons
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

// certificateSpec is the certificate that u should have.
func certificateSpec(x *index.Index, u inventory.User) reconcile.CertificateSpec {
	s := reconcile.CertificateSpec{
		User: u.Name, Epoch: x.Epoch(u.Name), Groups: x.Inventory.Defaults.CertificateGroups(u), Expiration: u.Expiration,
		Algorithm: x.Inventory.Defaults.KeyAlgorithm, Own: reconcile.OwnKeyOf(u), Kubeconfig: endpoint.Ref(x.Endpoint),
	}
	if left := u.Until.Sub(x.Observed.At); !u.Until.IsZero() && left < s.Expiration {
		s.Expiration = left.Truncate(time.Second)
	}
	return s
}
