package plan

import (
	"fmt"
	"slices"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// maxRequestNotes bounds the notes on CertificateSigningRequests in flight: anybody who may create one can give
// a thousand of them a name of ours.
const maxRequestNotes = 20

// notes adds what a reviewer should know and no step says.
func (d *differ) notes() {
	if d.plan.RecordState && d.Observed.State != nil {
		d.note(reconcile.Note{Kind: reconcile.InventoryChanged, Message: fmt.Sprintf(
			"since the last run, %s by %q", reconcile.TimeText(d.Observed.State.StartedAt), d.Observed.State.StartedBy)})
	}
	for _, s := range slices.Clone(d.plan.Steps) {
		switch s.Action {
		case reconcile.Issue, reconcile.Reissue, reconcile.Bind:
			d.existingAccess(s)
		}
	}
	for _, name := range d.Known() {
		d.remainingAccess(name)
	}
	for _, name := range d.Observed.UnknownEntries {
		d.note(reconcile.Note{Kind: reconcile.UnknownEntry, Object: name, Message: "no user can have this name; it is left alone"})
	}
	for _, u := range d.Inventory.Users {
		if d.soon(u.Until) {
			d.note(reconcile.Note{User: u.Name, Kind: reconcile.UntilSoon, Until: &u.Until, Message: "access ends"})
		}
		d.noteGrantEnds(reconcile.Note{User: u.Name}, u.ClusterRoles, u.Namespaces)
		d.superseded(u)
		if why := d.Observed.FrontProxy.Impersonates(u.Name); why != "" && d.stays[u.Name] {
			d.note(reconcile.Note{User: u.Name, Kind: reconcile.FrontProxyName, Message: why}) // a new one they do not get
		}
	}
	for _, g := range d.Inventory.Groups {
		d.noteGrantEnds(reconcile.Note{Group: g.Name}, g.ClusterRoles, g.Namespaces)
	}
	d.ownNamespaces()
	d.requests()
}

// existingAccess notes what a name would inherit: each binding that is not ours and serves the CN, or an O, that a step
// hands out.
func (d *differ) existingAccess(s reconcile.Step) {
	var subjects []reconcile.Subject
	if s.User != "" {
		subjects = append(subjects, reconcile.UserSubject(s.User))
		for _, g := range reconcile.SortedSet(d.Users[s.User].Groups) {
			subjects = append(subjects, reconcile.Subject{Kind: "Group", APIGroup: reconcile.RBACGroup, Name: g})
		}
	} else {
		subjects = append(subjects, reconcile.Subject{Kind: "Group", APIGroup: reconcile.RBACGroup, Name: s.Group})
		if s.Detail != nil {
			for _, u := range s.Detail.Add {
				subjects = append(subjects, reconcile.UserSubject(u))
			}
		}
	}
	for _, subject := range subjects {
		d.access(subject)
	}
}

// remainingAccess notes what a leaver's certificates go on giving: bindings that are not ours for their CN, and for
// the O's of those that still live.
func (d *differ) remainingAccess(name string) {
	rec := d.Observed.Ledger[name].Record
	if rec == nil || d.Active[name] {
		return
	}
	if _, live := rec.LiveUntil(d.Observed.At); !live {
		return
	}
	d.access(reconcile.UserSubject(name))
	for _, c := range rec.Certificates {
		for _, g := range c.Groups {
			if c.NotAfter.After(d.Observed.At) {
				d.access(reconcile.Subject{Kind: "Group", APIGroup: reconcile.RBACGroup, Name: g})
			}
		}
	}
}

// access notes the bindings that are not ours and serve a subject. A group's are noted once, not for each member.
func (d *differ) access(subject reconcile.Subject) {
	for _, b := range d.serves[subject] {
		whose := "not certsync's"
		if b.ManagedBy == reconcile.ManagedByValue && b.Owner != "" && b.Owner != d.Inventory.Owner {
			whose = fmt.Sprintf("owner %q's by its labels", b.Owner) // which anybody may set who writes bindings
		}
		n := reconcile.Note{Kind: reconcile.ExistingAccess, Object: b.Object(), Message: fmt.Sprintf(
			"gives %s %q %s, and is %s", subject.Kind, subject.Name, roleOf(b), whose)}
		if b.RoleRef.Kind == "ClusterRole" { // certsync does not read Roles
			n.Power = d.rolePower(b.RoleRef.Name, b.Namespace)
		}
		if len(n.Power) > 0 {
			n.Message = fmt.Sprintf("is as good as cluster-admin (%s): it %s", n.Power[0], n.Message)
		}
		if subject.Kind == "User" {
			n.User = subject.Name
		} else {
			n.Group = subject.Name
		}
		d.note(n)
	}
}

// roleOf is what a binding grants, as a phrase.
func roleOf(b reconcile.Binding) string {
	where := "cluster-wide"
	if b.Kind == reconcile.RoleBinding {
		where = fmt.Sprintf("in namespace %q", b.Namespace)
	}
	return fmt.Sprintf("%s %q %s", b.RoleRef.Kind, b.RoleRef.Name, where)
}

// soon reports whether t is an end that comes within a week.
func (d *differ) soon(t time.Time) bool {
	return !t.IsZero() && !d.Ended(t) && t.Sub(d.Observed.At) <= 7*24*time.Hour
}

// noteGrantEnds notes a week before that grants of n's user or group end.
func (d *differ) noteGrantEnds(n reconcile.Note, cluster []inventory.Grant, namespaces map[string][]inventory.Grant) {
	say := func(roles []inventory.Grant, where string) {
		for _, r := range roles {
			if d.soon(r.Until) {
				n.Kind, n.Until, n.Message = reconcile.UntilSoon, &r.Until, fmt.Sprintf("ClusterRole %q %s ends", r.ClusterRole, where)
				d.note(n)
			}
		}
	}
	say(cluster, "cluster-wide")
	for ns, roles := range namespaces {
		say(roles, fmt.Sprintf("in namespace %q", ns))
	}
}

// superseded notes live certificates of a user that carry groups which the user is no longer in: bindings that are not
// ours may serve them.
func (d *differ) superseded(u inventory.User) {
	rec := d.Observed.Ledger[u.Name].Record
	if rec == nil {
		return
	}
	for _, c := range rec.Certificates {
		for _, g := range c.Groups {
			if c.NotAfter.After(d.Observed.At) && c.Status != reconcile.Current && !slices.Contains(u.Groups, g) {
				until, message := c.NotAfter, "an earlier certificate still carries group %q"
				if c.Unconfirmed() {
					message = "a certificate that was requested earlier, if it came to be, carries group %q"
				}
				d.note(reconcile.Note{User: u.Name, Kind: reconcile.LiveCertificate, Until: &until, Message: fmt.Sprintf(message, g)})
			}
		}
	}
}

// requests notes CertificateSigningRequests in flight.
func (d *differ) requests() {
	for i, r := range d.Observed.Requests {
		if i == maxRequestNotes {
			d.note(reconcile.Note{Kind: reconcile.RequestInFlight, Message: fmt.Sprintf(
				"and %d more with such names", len(d.Observed.Requests)-i+d.Observed.MoreRequests)})
			return
		}
		message := fmt.Sprintf("%s, for CN %q, requested by %q at %s", r.State, r.User, r.RequestedBy, reconcile.TimeText(r.CreatedAt))
		if r.Reason != "" || r.Message != "" {
			message += fmt.Sprintf(" (%q: %q)", r.Reason, r.Message)
		}
		d.note(reconcile.Note{Kind: reconcile.RequestInFlight, Object: "CertificateSigningRequest " + r.Name, Message: message})
	}
}
