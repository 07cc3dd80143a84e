package plan

import (
	"fmt"
	"slices"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/inventory/shell"
	"github.com/certsync/certsync/inventory/userkey"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/plan/index"
)

// The functions here return why one user's step must not run, or "".

// misfit says that a user's own request is not for the name that the certificate has to have.
func misfit(spec reconcile.CertificateSpec) string {
	if spec.Own == nil || spec.Own.Public == nil || spec.Own.Username == spec.Username() {
		return ""
	}
	return fmt.Sprintf("the user's request is for %q, and the certificate must be for %q (make a new request with the same key: %s)", spec.Own.Username, spec.Username(),
		userkey.RequestCommand(spec.Username(), spec.Groups, "FILE"))
}

// conflicting is a conflict about a user's entries in Vault, unless somebody adopts what stands there.
func conflicting(x *index.Index, user, what string) string {
	if slices.Contains(x.Rules.Adopt, user) {
		return ""
	}
	return fmt.Sprintf("%s (find out who wrote it; then delete it, or let certsync overwrite it with --adopt %s)", what, shell.Quote("users/"+user))
}

// unreadable says that what stands at ledger/<user> is no record, or "".
func unreadable(x *index.Index, user string) string {
	return conflicting(x, user, fmt.Sprintf("ledger/%s is no record of this user: %s", user, reconcile.Shown(x.Observed.Ledger[user].Problem)))
}

// foreign says that something stands in users/<user> that the ledger knows nothing of, or "".
func foreign(x *index.Index, user string, meta reconcile.CredentialMeta) string {
	if meta.CurrentVersion == 0 {
		return ""
	}
	return conflicting(x, user, fmt.Sprintf("users/%s holds version %d of a secret that the ledger does not know", user, meta.CurrentVersion))
}

// unknownVersion is foreign, if the record does not know the version that stands there.
func unknownVersion(x *index.Index, user string, rec *reconcile.Record, meta reconcile.CredentialMeta) string {
	if rec.Knows(meta.CurrentVersion) {
		return ""
	}
	return foreign(x, user, meta)
}

// namedByTeam says that a team has named somebody new whom bindings of administrators serve, or is "".
func namedByTeam(x *index.Index, u inventory.User) string {
	b, serves := x.OfAdministrators(u)
	if !serves {
		return ""
	}
	return fmt.Sprintf("the file of team %s adds a user to whose name %s already gives %s. Such a name may belong to an administrator (if it is the same person, "+
		"add the user to the main inventory, apply, and then move the user to the team's file; otherwise use another name)", u.Team, reconcile.Shown(b.Object()), roleOf(*b))
}

// tooLong says why a user whose name is void gets nothing until their certificates have ended.
func tooLong(x *index.Index, user string) string {
	until := x.Names[user].Until
	if x.Doubtful(user) {
		until = x.Epochs.LostUntil
	}
	if until.IsZero() {
		return "its certificates are revoked, and the name is too long for a later epoch: over 64 bytes with the number (give the user a shorter name)"
	}
	return fmt.Sprintf("its certificates are revoked, and the name is too long for a later epoch (over 64 bytes with the number); nothing is issued before they end at %s "+
		"(do not wait: give the user a shorter name, with this one in previously)", reconcile.TimeText(until))
}
