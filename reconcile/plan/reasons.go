package plan

import (
	"cmp"
	"slices"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/plan/index"
)

// lossReason says why a subject is to be taken out of a binding that is wanted.
func lossReason(x *index.Index, g reconcile.Grant, s reconcile.Subject) reconcile.Reason {
	user := s.Person()
	g.Part = 0
	switch {
	case s != reconcile.UserSubject(s.Name) || !x.Knows(user):
		return reconcile.Drifted
	case x.RevokesFormer(user):
		return reconcile.CertificateRevoked
	case x.Successor[user] != "":
		return reconcile.Renamed
	case s != x.Subject(user) && x.Wants(g, user):
		return reconcile.CertificateRevoked
	case x.Ahead[user], x.FormerAhead[user]:
		return reconcile.FromAhead
	case g.For == reconcile.ForGroup:
		return reconcile.MembersChanged
	}
	return reconcile.RolesChanged
}

// unwanted says why no grant wants a binding of ours.
func unwanted(x *index.Index, b index.Binding) reconcile.Reason {
	g, whole := b.Grant, b.Grant
	whole.Part = 0
	grant, granted := x.InventoryGrant(g)
	switch {
	case g.For == reconcile.ForUser && x.RevokesFormer(g.Subject):
		return reconcile.CertificateRevoked
	case g.For == reconcile.ForUser && x.Successor[g.Subject] != "":
		return reconcile.Renamed
	case g.For == reconcile.ForUser && (x.Lapsed[g.Subject] || x.Former[g.Subject]), granted && x.Ends(whole):
		return reconcile.UntilPassed
	case x.Grants != nil && !x.Grants.Explains(g):
		return reconcile.Unexpected
	case g.For == reconcile.ForUser && (x.Ahead[g.Subject] || x.FormerAhead[g.Subject]), granted && x.IsAhead(grant.From):
		return reconcile.FromAhead
	case g.For == reconcile.ForUser && !x.Active[g.Subject], g.For == reconcile.ForGroup && x.Groups[g.Subject].Name == "":
		return reconcile.NotInInventory
	case granted && !x.Ended(grant.Until):
		return reconcile.MembersChanged // nobody is in the group any more
	case x.SameInventory && x.BySelector(g):
		return reconcile.NamespaceUnselected
	case x.SameInventory:
		return reconcile.Drifted
	}
	return reconcile.RolesChanged
}

// changeReason says why a wanted binding is not as it should be. Under the inventory of the last run, it is missing or has drifted.
// For subjects that no inventory of ours has put there, it has drifted.
func (a assembler) changeReason(p *part, takes, now, later []*edit) reconcile.Reason {
	changed := reconcile.RolesChanged
	if p.anew && len(takes)+len(now)+len(later) == 0 {
		return reconcile.Drifted
	}
	if p.grant.For == reconcile.ForGroup && p.observed != nil && !p.wrongRole() {
		changed = reconcile.MembersChanged
	} else if r := a.verdicts[p.grant.Subject].issues(); slices.Contains([]reconcile.Reason{reconcile.NewUser, reconcile.FromReached, reconcile.Renamed}, r) && p.grant.For == reconcile.ForUser {
		return r
	}
	for _, e := range slices.Concat(takes, later) {
		if e.reason == reconcile.CertificateRevoked || a.verdicts[e.user()].issues() == reconcile.CertificateRevoked {
			return reconcile.CertificateRevoked
		}
	}
	for _, e := range takes {
		if e.user() == "" || !a.x.Knows(e.user()) {
			return reconcile.Drifted
		}
	}
	switch adds := slices.Concat(now, later); {
	case a.begun(p, takes, adds):
		return reconcile.FromReached
	case len(takes) > 0 && len(adds) == 0 && !slices.ContainsFunc(takes, func(e *edit) bool { return e.reason != reconcile.FromAhead }):
		return reconcile.FromAhead
	}
	// All that it lacks may be users whose certificate comes in this run, or whose issue was cut off before their bindings.
	lacksOnlyLater := len(takes)+len(now) == 0 && len(later) > 0
	if !a.x.SameInventory || p.grant.For == reconcile.ForGroup && lacksOnlyLater {
		return changed
	}
	if p.observed == nil && p.reason == "" && a.x.Grants != nil && !a.x.Grants.Explains(p.grant) && a.x.BySelector(p.grant) {
		return reconcile.NamespaceSelected
	}
	if p.observed == nil {
		return cmp.Or(p.reason, reconcile.Missing)
	}
	return reconcile.Drifted
}

// begun reports whether a binding lacks subjects for no other reason than a `from` that has come since the last run: the grant's, or
// that of each user whom it lacks.
func (a assembler) begun(p *part, takes, adds []*edit) bool {
	if len(takes) > 0 || len(adds) == 0 {
		return false
	}
	if grant, _ := a.x.InventoryGrant(p.grant); a.x.Reached(grant.From) {
		return true
	}
	return !slices.ContainsFunc(adds, func(e *edit) bool { return !a.x.Reached(a.x.Users[e.user()].From) })
}
