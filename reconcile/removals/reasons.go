package removals

import (
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/granted"
)

// gives reports whether a user has a grant by the inventory. The old name of somebody stays until the new one is bound. Without
// Vault the new name gets no certificate, and the person would be without access.
func (d *draft) gives(g reconcile.Grant, user string) bool {
	if d.given.has(g, user) {
		return true
	}
	now := d.successor[user]
	if now == "" || d.revoked[user] || g.For == reconcile.ForUser && g.Subject != user {
		return false
	}
	if g.For == reconcile.ForUser {
		g.Subject = now
	}
	return d.given.has(g, now) && !d.bound[g][now]
}

// reason says why a subject goes: the first row that fits. Those of the decided reasons are no removals for --max-removals.
//
//	subject                                     | reason           | decided
//	no User                                     | drifted          |
//	revoked, or the old name of such a user     | revoked          | yes
//	had it until a time that has passed         | until-passed     | yes
//	the old name of somebody                    | renamed          | yes
//	its beginning lies ahead                    | from-ahead       |
//	nobody of the inventory                     | not-in-inventory |
//	in somebody else's own binding              | drifted          |
//	in a group's binding that others stay in    | members-changed  |
//	a selector gives it in other namespaces     | namespace-unselected |
//	other                                       | roles-changed    |
func (d *draft) reason(g reconcile.Grant, user string) reconcile.Reason {
	switch now := d.successor[user]; {
	case user == "":
		return reconcile.Drifted
	case d.revoked[user] || d.revoked[now]:
		return reconcile.CertificateRevoked
	case d.begun.has(g, user) || d.former[user]:
		return reconcile.UntilPassed
	case now != "":
		return reconcile.Renamed
	case d.ahead[user] || d.ever.has(g, user):
		return reconcile.FromAhead
	case !d.known[user]:
		return reconcile.NotInInventory
	case g.For == reconcile.ForUser && g.Subject != user:
		return reconcile.Drifted
	case g.For == reconcile.ForGroup && len(d.given[g]) > 0:
		return reconcile.MembersChanged
	case g.Namespace != "" && granted.BySelector(d.file, g):
		return reconcile.NamespaceUnselected
	}
	return reconcile.RolesChanged
}

// decided reports whether somebody has decided on this one removal, so that --max-removals does not count it.
func (r *removal) decided() bool {
	return r.reason == reconcile.CertificateRevoked || r.reason == reconcile.UntilPassed || r.reason == reconcile.Renamed
}
