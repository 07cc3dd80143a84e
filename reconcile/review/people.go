package review

import (
	"slices"
	"time"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/access"
	"github.com/certsync/certsync/reconcile/status"
)

// person reviews one user of certsync's.
func (s survey) person(u status.User) Person {
	p := Person{
		Name: u.Name, Username: u.Username, Team: s.Users[u.Name].Team, InInventory: u.InInventory, State: u.State, Detail: u.Detail, Groups: u.Groups,
		Since: u.Since, From: u.From, Until: u.Until, Why: u.Why, Protected: u.Protected, Certificates: u.Certificates, Access: []Access{},
	}
	p.Gone = !s.Active[u.Name]
	_, p.Epoch = reconcile.Person(u.Username)
	rec := s.Observed.Ledger[u.Name].Record
	if rec == nil && s.Observed.State != nil && s.Observed.State.Names[u.Name].Until.After(s.Observed.At) {
		p.MayLiveUntil = moment(s.Observed.State.Names[u.Name].Until)
	}
	if rec != nil && rec.State == reconcile.Removed {
		p.Left = &Departure{rec.Since, reconcile.Reason(rec.Reason), rec.Run, rec.Revision}
	}
	carried := s.Inventory.Defaults.CertificateGroups(s.Users[u.Name])
	if current := u.Current(); current != nil {
		p.CertificateSince, p.CertificateUntil, carried = moment(rec.Current().IssuedAt), &current.NotAfter, rec.Current().Groups
	}
	for _, g := range u.Grants {
		p.Access = append(p.Access, s.granted(u.Name, g, rec))
	}
	theirs := s.fromOthers(reconcile.UserSubject(u.Username), "")
	for _, g := range carried {
		theirs = append(theirs, s.fromOthers(groupSubject(g), g)...)
	}
	theirs, p.Unlisted = strongest(theirs)
	p.Access = append(p.Access, theirs...)
	slices.SortFunc(p.Access, compareAccess)
	p.Power = reconcile.OrEmpty(u.Power)
	return p
}

func groupSubject(name string) reconcile.Subject {
	return reconcile.Subject{Kind: "Group", APIGroup: reconcile.RBACGroup, Name: name}
}

// granted reviews what the inventory grants, or a binding of certsync's gives.
func (s survey) granted(user string, g status.Grant, rec *reconcile.Record) Access {
	a := Access{Kind: g.Kind, Role: reconcile.Shown(g.Role), Namespace: g.Namespace, Through: Own, Group: g.Group, Binding: reconcile.Shown(g.Object), Status: g.Binding, From: g.From, Until: g.Until, Why: g.Why}
	if g.Group != "" {
		a.Through = Group
	}
	s.rate(&a, roleOf(g.Kind, g.Namespace, g.Role))
	if b, exists := s.Ours[g.Object]; exists && a.Gives() {
		a.Made = moment(b.CreatedAt)
		a.Since = s.sinceAtLeast(user, a, b.CreatedAt, rec)
	}
	return a
}

// sinceAtLeast returns a time at which a user had what a binding of certsync's gives. certsync makes a user's own binding with that user
// in it. A tenant can make a RoleBinding of that name first, so it counts from when the user's name began. To a group's binding, members
// come later: the user's certificate names the group, or the last run's grants do.
func (s survey) sinceAtLeast(user string, a Access, made time.Time, rec *reconcile.Record) *time.Time {
	if a.Status != status.IsBound || made.IsZero() {
		return nil
	}
	if a.Through == Own {
		if state := s.Observed.State; a.Namespace != "" && state != nil && state.Names[user].Since.After(made) {
			made = state.Names[user].Since
		}
		return &made
	}
	var member time.Time
	earlier := func(t time.Time) {
		if member.IsZero() || t.Before(member) {
			member = t
		}
	}
	if rec != nil {
		for _, c := range rec.Certificates {
			if slices.Contains(c.Groups, a.Group) && !c.Unconfirmed() {
				earlier(c.IssuedAt)
			}
		}
	}
	if state := s.Observed.State; state != nil && state.Grants != nil &&
		state.Grants.Has(a.grantOf(a.Group), user) {
		earlier(state.StartedAt)
	}
	if member.IsZero() {
		return nil
	}
	if made.After(member) {
		member = made
	}
	return &member
}

// grantOf is the grant of a group that gives the access.
func (a Access) grantOf(group string) reconcile.Grant {
	g := reconcile.Grant{For: reconcile.ForGroup, Subject: group, Namespace: a.Namespace, Role: a.Role}
	if a.Kind == reconcile.NamespaceRole.String() {
		g.RoleKind = reconcile.NamespaceRole
	}
	return g
}

// fromOthers lists what bindings of others give a subject.
func (s survey) fromOthers(subject reconcile.Subject, group string) []Access {
	var all []Access
	for _, b := range s.Others(subject) {
		all = append(all, s.foreign(*b, group))
	}
	return all
}

// foreign reviews what a binding that is not certsync's gives.
func (s survey) foreign(b reconcile.Binding, group string) Access {
	a := Access{Kind: reconcile.Shown(b.RoleRef.Kind), Role: reconcile.Shown(b.RoleRef.Name), Namespace: b.Namespace, Through: Others, Group: reconcile.Shown(group),
		Binding: reconcile.Shown(b.Object()), Owner: b.OwnerOf(), Status: status.IsBound, Made: moment(b.CreatedAt)}
	s.rate(&a, b.Role())
	return a
}

// rate says how strong the access by a role is.
func (s survey) rate(a *Access, role reconcile.Role) {
	s.rated[roleOf(a.Kind, a.Namespace, a.Role)] = role
	a.Power = reconcile.OrEmpty(s.RolePower(role, a.Namespace))
	a.Strength = access.StrengthOf(s.Observed.Rules[role], a.Power)
}

func roleOf(kind, namespace, name string) reconcile.Role {
	if kind == "Role" {
		return reconcile.Role{Namespace: namespace, Name: name}
	}
	return reconcile.Role{Name: name}
}
