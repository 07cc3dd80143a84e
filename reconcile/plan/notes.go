package plan

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/inventory/shell"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/endpoint"
	"github.com/certsync/certsync/reconcile/plan/index"
	"github.com/certsync/certsync/reconcile/rename"
)

// maxRequestNotes bounds the notes on CertificateSigningRequests in flight: anybody who may create one can give
// a thousand of them a name of ours.
const maxRequestNotes = 20

// maxMisnamed bounds the notes on names that are like certsync's: whoever may create bindings can give them to a thousand.
const maxMisnamed = 20

// notesOn returns what a reviewer should know and no step says. They may have duplicates.
func notesOn(x *index.Index, d *draft, p reconcile.Plan) []reconcile.Note {
	var all []reconcile.Note
	if s := x.Observed.State; p.RecordState && s != nil && !x.SameInventory {
		all = append(all, reconcile.Note{Kind: reconcile.InventoryChanged, Message: fmt.Sprintf(
			"since the last run, %s by %q", reconcile.TimeText(s.StartedAt), s.StartedBy)})
	}
	if s := x.Observed.State; s != nil && s.Grants == nil {
		all = append(all, reconcile.Note{Kind: reconcile.StateUpgraded, Message: "the state in Vault is of formatVersion 1; apply writes version 2, which earlier releases of certsync refuse"})
	}
	all = append(all, endpointNotes(x, p.Steps)...)
	all = append(all, revocationNotes(x)...)
	all = append(all, batchNotes(x, d.batches)...)
	all = append(all, existingAccess(x, p.Steps)...)
	all = append(all, leftBehind(x, d)...)
	for _, name := range x.Observed.UnknownEntries {
		all = append(all, reconcile.Note{Kind: reconcile.UnknownEntry, Object: reconcile.Shown(name), Message: "no user can have this name; certsync does not touch it"})
	}
	for _, u := range x.Inventory.Users {
		if soon(x, u.Until) && !x.Ahead[u.Name] {
			all = append(all, reconcile.Note{User: u.Name, Kind: reconcile.UntilSoon, Until: &u.Until, Message: "access ends"})
		}
		all = append(all, grantEnds(x, reconcile.Note{User: u.Name}, u.ClusterRoles, u.Namespaces)...)
		all = append(all, superseded(x, u)...)
		all = append(all, exchangedKey(x, u)...)
		if why := x.Observed.FrontProxy.Impersonates(u.Name); why != "" && d.verdicts[u.Name].stays {
			all = append(all, reconcile.Note{User: u.Name, Kind: reconcile.FrontProxyName, Message: why}) // a new one they do not get
		}
	}
	for _, g := range x.Inventory.Groups {
		all = append(all, grantEnds(x, reconcile.Note{Group: g.Name}, g.ClusterRoles, g.Namespaces)...)
	}
	for _, part := range d.parts {
		if b := part.observed; b != nil && part.wanted && b.Terminating && !part.anew && !part.wrongRole() {
			all = append(all, reconcile.Note{Kind: reconcile.Terminating, Object: b.Object(), Message: "is being deleted, and a finalizer keeps it; it still grants its role"})
		}
	}
	all = append(all, beginnings(x)...)
	all = append(all, renames(x, d)...)
	all = append(all, misnamed(x)...)
	all = append(all, partlyRead(x)...)
	all = append(all, ownNamespaces(x)...)
	all = append(all, selectorNotes(x)...)
	return append(all, requests(x)...)
}

// endpointNotes compares what users have, or get, with certsync's own connection, and notes an address that is given out and may
// be of no use to others: at the first apply, and as long as the inventory states it.
func endpointNotes(x *index.Index, steps []reconcile.Step) []reconcile.Note {
	var all []reconcile.Note
	own := endpoint.Of(x.Inventory.Cluster, x.Observed.Endpoint)
	for _, difference := range endpoint.Differences(x.Endpoint, own) {
		all = append(all, reconcile.Note{Kind: reconcile.EndpointDiffers, Message: fmt.Sprintf(
			"%s: certsync's own connection differs from users' kubeconfigs, which do not change (to change them, set the field under cluster in the inventory)", difference)})
	}
	first := x.Observed.State == nil || x.Observed.State.Grants == nil
	c := x.Inventory.Cluster
	stated := c.Server+c.ProxyURL != "" && slices.ContainsFunc(steps, func(s reconcile.Step) bool { return s.Issue != nil })
	if why := endpoint.Local(x.Endpoint, c); why != "" && (first || stated) {
		all = append(all, reconcile.Note{Kind: reconcile.EndpointLocal, Message: fmt.Sprintf(
			"kubeconfigs get %s, %s (set cluster.server in the inventory to the address as users reach it)", reconcile.Shown(x.Endpoint.Server), why)})
	}
	return all
}

// renames suggests `previously` for new users who look like one who goes. A team's file cannot have it. A powerful user gets no
// suggestion.
func renames(x *index.Index, d *draft) []reconcile.Note {
	var gone, come []string
	for name := range x.Names {
		if isUser(x, name) && leaves(x, name) {
			gone = append(gone, name)
		}
	}
	powers := userPowers(x)
	for _, u := range x.Inventory.Users {
		if x.Active[u.Name] && !x.Indexed(u.Name) && u.Team == "" && len(u.Previously) == 0 && len(powers[u.Name]) == 0 {
			come = append(come, u.Name)
		}
	}
	return rename.Notes(gone, come, d.given, x.Wanted)
}

// misnamed notes bindings whose names begin like this owner's, and which certsync would not give.
func misnamed(x *index.Index) []reconcile.Note {
	var all []reconcile.Note
	for i, object := range x.Misnamed {
		if i == maxMisnamed {
			return append(all, reconcile.Note{Kind: reconcile.UnknownBinding, Message: moreText(len(x.Misnamed)-i) + " with such names"})
		}
		all = append(all, reconcile.Note{Kind: reconcile.UnknownBinding, Object: reconcile.Shown(object),
			Message: "has a name like this owner's bindings, but certsync uses no such name; certsync does not touch it"})
	}
	return all
}

// partlyRead notes namespaces where others have so many bindings or Roles that some were left out.
func partlyRead(x *index.Index) []reconcile.Note {
	var all []reconcile.Note
	for i, name := range slices.Sorted(maps.Keys(x.Observed.Partly)) {
		if i == maxMisnamed {
			return append(all, reconcile.Note{Kind: reconcile.NamespacePartlyRead, Message: moreText(len(x.Observed.Partly)-i) + " like that"})
		}
		all = append(all, reconcile.Note{Kind: reconcile.NamespacePartlyRead, Object: "Namespace " + name,
			Message: "has too many or too large RoleBindings of others, or Roles: certsync left out some, and does not know what they give " +
				"(find out who made them, and delete them)"})
	}
	return all
}

func moreText(n int) string { return fmt.Sprintf("and %d more", n) }

// soon reports whether t is an end that comes within a week.
func soon(x *index.Index, t time.Time) bool {
	return !t.IsZero() && !x.Ended(t) && t.Sub(x.Observed.At) <= 7*24*time.Hour
}

// grantEnds notes a week before that grants of n's user or group end.
func grantEnds(x *index.Index, n reconcile.Note, cluster []inventory.Grant, namespaces map[string][]inventory.Grant) []reconcile.Note {
	var all []reconcile.Note
	say := func(roles []inventory.Grant, namespace string) {
		for _, r := range roles {
			if soon(x, r.Until) && !x.IsAhead(r.From) && !x.Ahead[n.User] {
				n.Kind, n.Until, n.Message = reconcile.UntilSoon, &r.Until, reconcile.Grant{Namespace: namespace}.Of(r).String()+" ends"
				all = append(all, n)
			}
		}
	}
	say(cluster, "")
	for namespace, roles := range namespaces {
		say(roles, namespace)
	}
	return all
}

// maxOldGroups is how many groups of earlier certificates a user's notes name. Whoever may write a record can put thousands there.
const maxOldGroups = 50

// superseded notes live certificates of a user that carry groups which the user is no longer in: bindings that are not
// ours may serve them.
func superseded(x *index.Index, u inventory.User) []reconcile.Note {
	rec := x.Observed.Ledger[u.Name].Record
	if rec == nil {
		return nil
	}
	var all []reconcile.Note
	for _, c := range rec.Certificates {
		for _, g := range c.Groups {
			if !c.NotAfter.After(x.Observed.At) || c.Status == reconcile.Current || slices.Contains(x.Inventory.Defaults.CertificateGroups(u), g) || len(all) == maxOldGroups {
				continue
			}
			until, message := c.NotAfter, "an earlier certificate still carries group %q"
			if c.Unconfirmed() {
				message = "if an earlier request got a certificate, that certificate carries group %q"
			}
			all = append(all, reconcile.Note{User: u.Name, Kind: reconcile.LiveCertificate, Until: &until, Message: fmt.Sprintf(message, reconcile.Shown(g))})
		}
	}
	return all
}

// exchangedKey notes that a certificate lives for a key that a user had themselves before. It has the name that the user has.
func exchangedKey(x *index.Index, u inventory.User) []reconcile.Note {
	rec, own := x.Observed.Ledger[u.Name].Record, reconcile.OwnKeyOf(u).Fingerprint()
	if rec == nil || !x.Active[u.Name] || x.Epochs.Void[u.Name] {
		return nil
	}
	last := reconcile.CertificateEntry{NotAfter: x.Observed.At}
	for _, c := range rec.Certificates {
		if c.PublicKeySHA256 != "" && c.PublicKeySHA256 != own && c.Epoch == x.Epoch(u.Name) && c.NotAfter.After(last.NotAfter) {
			last = c
		}
	}
	if last.PublicKeySHA256 == "" {
		return nil
	}
	message := "a certificate for an earlier key of the user's own keeps all of the user's access until it expires"
	if last.Unconfirmed() {
		message = "if a request for an earlier key of the user's own got a certificate, that certificate has all of the user's access"
	}
	return []reconcile.Note{{User: u.Name, Kind: reconcile.LiveCertificate, Until: &last.NotAfter, Message: fmt.Sprintf(
		"%s (to revoke it now, set revokedBefore on the user, or run certsync apply --revoke %s)", message, shell.Quote(u.Name))}}
}

// requests notes CertificateSigningRequests in flight.
func requests(x *index.Index) []reconcile.Note {
	var all []reconcile.Note
	for i, r := range x.Observed.Requests {
		if i == maxRequestNotes {
			return append(all, reconcile.Note{Kind: reconcile.RequestInFlight,
				Message: moreText(len(x.Observed.Requests)-i+x.Observed.MoreRequests) + " with such names"})
		}
		message := fmt.Sprintf("%s, for CN %q, requested by %q at %s", r.State, reconcile.Shown(r.User), reconcile.Shown(r.RequestedBy), reconcile.TimeText(r.CreatedAt))
		if r.Reason != "" || r.Message != "" {
			message += fmt.Sprintf(" (%q: %q)", reconcile.Shown(r.Reason), reconcile.Shown(r.Message))
		}
		all = append(all, reconcile.Note{Kind: reconcile.RequestInFlight, Object: "CertificateSigningRequest " + reconcile.Shown(r.Name), Message: message})
	}
	return all
}

// revocationNotes notes what the lock says of revocations, and a revokedBefore that lies ahead.
func revocationNotes(x *index.Index) []reconcile.Note {
	var all []reconcile.Note
	for name, at := range x.Observed.Revoked {
		if x.RevokedAtLock(name) {
			all = append(all, reconcile.Note{User: name, Kind: reconcile.RevokedAtLock, Message: fmt.Sprintf(
				"a run without Vault revoked the user's certificates at %s; the lock records this until a run with Vault begins the user's next epoch", reconcile.TimeText(at))})
		}
	}
	for _, u := range x.Inventory.Users {
		if at := u.RevokedBefore; x.Active[u.Name] && at.After(x.Now()) {
			all = append(all, reconcile.Note{User: u.Name, Kind: reconcile.RevocationAhead, Until: &at, Message: "revokedBefore is in the future; the first apply after it revokes the older certificates"})
		}
	}
	return all
}
