package reconcile

import (
	"fmt"
	"slices"
	"time"

	"github.com/certsync/certsync/inventory"
)

// maxRequestNotes bounds the notes on CertificateSigningRequests in flight: whoever may create one can put our labels
// on a thousand of them.
const maxRequestNotes = 20

// notes adds what a reviewer should know and no step says.
func (d *differ) notes() {
	if d.plan.recordState && d.o.State != nil {
		d.note(Note{Kind: InventoryChanged, Message: fmt.Sprintf(
			"since the last run, %s by %q", d.o.State.StartedAt.UTC().Format(time.RFC3339), d.o.State.StartedBy)})
	}
	for _, s := range slices.Clone(d.plan.Steps) {
		switch s.Action {
		case Issue, Reissue, Bind:
			d.existingAccess(s)
		}
	}
	for _, name := range d.known() {
		d.remainingAccess(name)
	}
	for _, name := range d.o.Strangers {
		d.note(Note{Kind: Stranger, Object: name, Message: "no user can have this name; it is left alone"})
	}
	for _, u := range d.inv.Users {
		if d.soon(u.Until) {
			d.note(Note{User: u.Name, Kind: UntilSoon, Until: &u.Until, Message: "access ends"})
		}
		d.grantsEnd(Note{User: u.Name}, u.ClusterRoles, u.Namespaces)
		d.superseded(u)
		if why := d.o.FrontProxy.impersonates(u.Name); why != "" && d.stays[u.Name] {
			d.note(Note{User: u.Name, Kind: FrontProxyName, Message: why}) // a new one they do not get
		}
	}
	for _, g := range d.inv.Groups {
		d.grantsEnd(Note{Group: g.Name}, g.ClusterRoles, g.Namespaces)
	}
	d.ownNamespaces()
	d.requests()
}

// existingAccess notes what a name would inherit: each binding that is not ours and serves the CN, or an O, that a step
// hands out.
func (d *differ) existingAccess(s Step) {
	var subjects []Subject
	if s.User != "" {
		subjects = append(subjects, UserSubject(s.User))
		for _, g := range sortedSet(d.users[s.User].Groups) {
			subjects = append(subjects, Subject{Kind: "Group", APIGroup: RBACGroup, Name: g})
		}
	} else {
		subjects = append(subjects, Subject{Kind: "Group", APIGroup: RBACGroup, Name: s.Group})
		if s.Detail != nil {
			for _, u := range s.Detail.Add {
				subjects = append(subjects, UserSubject(u))
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
	rec := d.o.Ledger[name].Record
	if rec == nil || d.active[name] {
		return
	}
	if _, live := rec.liveUntil(d.o.At); !live {
		return
	}
	d.access(UserSubject(name))
	for _, c := range rec.Certificates {
		for _, g := range c.Groups {
			if c.NotAfter.After(d.o.At) {
				d.access(Subject{Kind: "Group", APIGroup: RBACGroup, Name: g})
			}
		}
	}
}

// access notes the bindings that are not ours and serve a subject. A group's are noted once, not for each member.
func (d *differ) access(subject Subject) {
	for _, b := range d.serves[subject] {
		whose := "not certsync's"
		if b.ManagedBy == ManagedByValue && b.Owner != "" && b.Owner != d.inv.Owner {
			whose = fmt.Sprintf("owner %q's by its labels", b.Owner) // which anybody may set who writes bindings
		}
		n := Note{Kind: ExistingAccess, Object: b.Object(), Message: fmt.Sprintf(
			"gives %s %q %s, and is %s", subject.Kind, subject.Name, granted(b), whose)}
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

// granted is what a binding grants, as a phrase.
func granted(b Binding) string {
	where := "cluster-wide"
	if b.Kind == RoleBinding {
		where = fmt.Sprintf("in namespace %q", b.Namespace)
	}
	return fmt.Sprintf("%s %q %s", b.RoleRef.Kind, b.RoleRef.Name, where)
}

// soon reports whether t is an end that comes within a week.
func (d *differ) soon(t time.Time) bool {
	return !t.IsZero() && !d.ended(t) && t.Sub(d.o.At) <= 7*24*time.Hour
}

// grantsEnd notes a week before that grants of n's user or group end.
func (d *differ) grantsEnd(n Note, cluster []inventory.Grant, namespaces map[string][]inventory.Grant) {
	say := func(roles []inventory.Grant, where string) {
		for _, r := range roles {
			if d.soon(r.Until) {
				n.Kind, n.Until, n.Message = UntilSoon, &r.Until, fmt.Sprintf("ClusterRole %q %s ends", r.ClusterRole, where)
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
	rec := d.o.Ledger[u.Name].Record
	if rec == nil {
		return
	}
	for _, c := range rec.Certificates {
		for _, g := range c.Groups {
			if c.NotAfter.After(d.o.At) && c.Status != Current && !slices.Contains(u.Groups, g) {
				until, message := c.NotAfter, "an earlier certificate still carries group %q"
				if c.maybe() {
					message = "a certificate that was requested earlier, if it came to be, carries group %q"
				}
				d.note(Note{User: u.Name, Kind: LiveCertificate, Until: &until, Message: fmt.Sprintf(message, g)})
			}
		}
	}
}

// requests notes CertificateSigningRequests in flight.
func (d *differ) requests() {
	for i, r := range d.o.Requests {
		if i == maxRequestNotes {
			d.note(Note{Kind: RequestInFlight, Message: fmt.Sprintf(
				"and %d more with certsync's labels", len(d.o.Requests)-i+d.o.MoreRequests)})
			return
		}
		message := fmt.Sprintf("%s, for CN %q, requested by %q at %s", r.State, r.User, r.RequestedBy, r.CreatedAt.UTC().Format(time.RFC3339))
		if r.Reason != "" || r.Message != "" {
			message += fmt.Sprintf(" (%q: %q)", r.Reason, r.Message)
		}
		d.note(Note{Kind: RequestInFlight, Object: "CertificateSigningRequest " + r.Name, Message: message})
	}
}
