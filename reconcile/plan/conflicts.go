package plan

import (
	"fmt"
	"slices"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/inventory/shell"
	"github.com/certsync/certsync/reconcile"
)

// What stands in the way of one user's step. Each function says it, or is "".

// quarantine reports whether somebody else may hold a certificate of this name, and what that forbids: they would get what
// the name gets now, so it waits until that certificate has ended, unless somebody says that it is the same person.
func quarantine(x *Index, user string) (is bool, conflict string) {
	until, is := x.quarantined(user)
	if !is || slices.Contains(x.rules.Reinstate, user) {
		return is, ""
	}
	since := ""
	if rec := x.Observed.Ledger[user].Record; left(rec) && rec.State == reconcile.Removed {
		since = fmt.Sprintf(" was removed on %s (%s)", rec.Since.UTC().Format(time.DateOnly), rec.Reason)
	} else {
		since = " left"
	}
	return true, fmt.Sprintf("the name is quarantined: its user%s, and whoever holds that certificate would get this access until %s (--reinstate %s if it is the same person; else wait, or use another name)",
		since, reconcile.TimeText(until), shell.Quote(user))
}

// conflicting is a conflict about a user's entries in Vault, unless somebody adopts what stands there.
func conflicting(x *Index, user, what string) string {
	if slices.Contains(x.rules.Adopt, user) {
		return ""
	}
	return fmt.Sprintf("%s (look at who wrote it; then delete it, or take it over and overwrite it: --adopt %s)", what, shell.Quote("users/"+user))
}

// unreadable says that what stands at ledger/<user> is no record, or "".
func unreadable(x *Index, user string) string {
	return conflicting(x, user, fmt.Sprintf("ledger/%s is no record of this user: %s", user, reconcile.Shown(x.Observed.Ledger[user].Problem)))
}

// foreign says that something stands in users/<user> that the ledger knows nothing of, or "".
func foreign(x *Index, user string, meta reconcile.CredentialMeta) string {
	if meta.CurrentVersion == 0 {
		return ""
	}
	return conflicting(x, user, fmt.Sprintf("users/%s holds version %d of a secret that the ledger does not know", user, meta.CurrentVersion))
}

// unknownVersion is foreign, if the record does not know the version that stands there.
func unknownVersion(x *Index, user string, rec *reconcile.Record, meta reconcile.CredentialMeta) string {
	if rec.Knows(meta.CurrentVersion) {
		return ""
	}
	return foreign(x, user, meta)
}

// namedByTeam says that a team has named somebody new whom bindings of administrators serve, or is "". The inventory gives a
// team its groups; with the name of an administrator it would take all that they have. Who is new, the index says. What a
// tenant binds in their own namespace does not keep anybody from a certificate; it is noted.
func namedByTeam(x *Index, u inventory.User) string {
	n, indexed := x.names[u.Name]
	if u.Team == "" || indexed && !n.Left {
		return ""
	}
	i := slices.IndexFunc(x.serves[reconcile.UserSubject(u.Name)], func(b reconcile.Binding) bool {
		return b.Kind == reconcile.ClusterRoleBinding || slices.Contains([]string{"kube-system", x.rules.Namespace, x.rules.LockNamespace}, b.Namespace)
	})
	if i < 0 {
		return ""
	}
	b := x.serves[reconcile.UserSubject(u.Name)][i]
	return fmt.Sprintf("the file of team %s names somebody new to whom %s gives %s, and it is not the team's to give (if it is the same person, "+
		"put them into the inventory itself, and into the team's file when that is applied; else use another name)", u.Team, reconcile.Shown(b.Object()), roleOf(b))
}
