package plan

import (
	"fmt"
	"slices"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/inventory/shell"
	"github.com/certsync/certsync/inventory/userkey"
	"github.com/certsync/certsync/reconcile"
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
func conflicting(x *Index, user, what string) string {
	if slices.Contains(x.rules.Adopt, user) {
		return ""
	}
	return fmt.Sprintf("%s (find out who wrote it; then delete it, or let certsync overwrite it with --adopt %s)", what, shell.Quote("users/"+user))
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
// team its groups. With an administrator's name the team would get the administrator's access. A user is new unless the index has
// the name. RoleBindings of tenants are no conflict: such a name begins in a later epoch, see beginEpochs.
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
	return fmt.Sprintf("the file of team %s adds a user to whose name %s already gives %s. Such a name may belong to an administrator (if it is the same person, "+
		"add the user to the main inventory, apply, and then move the user to the team's file; otherwise use another name)", u.Team, reconcile.Shown(b.Object()), roleOf(b))
}
