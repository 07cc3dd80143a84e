package status

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/plan/index"
)

// served has the bindings of ours that serve a user, in order: by the name that Kubernetes should know them by, and by those of
// other epochs.
type served struct{ now, otherwise []index.Binding }

// servedByOurs has what serves each user.
func (d survey) servedByOurs() map[string]served {
	all := map[string]served{}
	for _, object := range slices.Sorted(maps.Keys(d.Ours)) {
		b := d.Ours[object]
		add := func(to []index.Binding) []index.Binding {
			if len(to) > 0 && to[len(to)-1].Same(b.Binding) {
				return to
			}
			return append(to, b)
		}
		for _, s := range b.Subjects {
			user := s.Person()
			if user == "" {
				continue
			}
			of := all[user]
			if s.Name == d.Username(user) {
				of.now = add(of.now)
			} else {
				of.otherwise = add(of.otherwise)
			}
			all[user] = of
		}
	}
	return all
}

// promise is a grant of the inventory to one user, of their own or as a member.
type promise struct {
	reconcile.Grant
	from, until time.Time
	why         *inventory.Why
}

// promises lists what the inventory grants a user, whether or not it has ended.
func (d survey) promises(user string) []promise {
	var all []promise
	add := func(g reconcile.Grant, roles []inventory.Grant) {
		for _, r := range roles {
			g := g.Of(r)
			g.Part = 1
			all = append(all, promise{g, r.From, r.Until, r.Why.Given()})
		}
	}
	each := func(g reconcile.Grant, cluster []inventory.Grant, namespaces map[string][]inventory.Grant) {
		add(g, cluster)
		for g.Namespace = range namespaces {
			add(g, namespaces[g.Namespace])
		}
	}
	u := d.Users[user]
	each(reconcile.Grant{For: reconcile.ForUser, Subject: user}, u.ClusterRoles, u.Namespaces)
	for _, name := range reconcile.SortedSet(u.Groups) {
		each(reconcile.Grant{For: reconcile.ForGroup, Subject: name}, d.Groups[name].ClusterRoles, d.Groups[name].Namespaces)
	}
	return all
}

// grantStatuses is what the inventory grants a user, and what else bindings of ours give them.
func (d survey) grantStatuses(user string, by served) []Grant {
	out, serves := []Grant{}, by.now
	for _, p := range d.promises(user) {
		s := grantStatus(p.Grant, reconcile.NewBinding(d.Inventory.Owner, p.Grant, nil))
		s.From, s.Until, s.Why, s.Binding = moment(p.from), moment(p.until), p.why, IsMissing
		ended, ahead := d.Lapsed[user] || d.Ended(p.until), d.Ahead[user] || d.IsAhead(p.from)
		i := slices.IndexFunc(serves, p.madeTrue)
		switch {
		case i >= 0 && (ended || ahead):
			continue // told below, as what should not be
		case i >= 0:
			s.Binding, s.Object = IsBound, serves[i].Object()
			serves = slices.Delete(slices.Clone(serves), i, i+1)
		case ended:
			s.Binding = HasEnded
		case ahead:
			s.Binding = IsAhead
		}
		out = append(out, s)
	}
	for _, b := range slices.Concat(serves, by.otherwise) {
		s := grantStatus(b.Grant, b.Binding)
		s.Binding = IsUnwanted
		if r, ok := d.InventoryGrant(b.Grant); ok {
			s.From, s.Until, s.Why = moment(r.From), moment(r.Until), r.Why.Given()
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b Grant) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Kind, b.Kind),
			cmp.Compare(a.Role, b.Role), cmp.Compare(a.Object, b.Object))
	})
	return out
}

// madeTrue reports whether b makes a promise true to those whom it serves.
func (p promise) madeTrue(b index.Binding) bool {
	g := b.Grant
	g.Part = p.Part
	return g == p.Grant && b.RoleRef == g.RoleRef()
}

// grantStatus is what binding b for g gives.
func grantStatus(g reconcile.Grant, b reconcile.Binding) Grant {
	s := Grant{Kind: b.RoleRef.Kind, Role: b.RoleRef.Name, Namespace: b.Namespace, Object: b.Object()}
	if g.For == reconcile.ForGroup {
		s.Group = g.Subject
	}
	return s
}
