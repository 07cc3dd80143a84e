package inventory

import (
	"github.com/certsync/certsync/inventory/shape"
	"github.com/certsync/certsync/inventory/strict"
	"github.com/certsync/certsync/inventory/texts"
)

// users decodes the users, whose groups must be declared, but for the old names. An old name must not be that of a user
// further down, or in a team's file, so former is read when all users are known.
func (r *run) users(v strict.Value, declared, groups *strict.Roll) (users []User, former [][]strict.Value) {
	for _, item := range v.Items() {
		if u, old, ok := r.user(item, declared, groups); ok {
			users, former = append(users, u), append(former, old)
		}
	}
	return users, former
}

// user decodes one user, but for the old names.
func (r *run) user(v strict.Value, declared, groups *strict.Roll) (u User, former []strict.Value, ok bool) {
	fields, ok := v.Fields(shape.UserKeys...)
	if !ok {
		return User{}, nil, false
	}
	u.Name = parseName(v, fields, declared)
	s := scope{fleet: r.fleet}
	u.Clusters, s.within = r.fleet.selected(fields, r.fleet.All)
	s.count(v, s.within)
	u.ClusterRoles = s.clusterRoles(fields)
	u.Namespaces, u.ByLabel = s.namespaces(fields)
	if field, ok := fields["previously"]; ok {
		former = field.Items()
	}
	if field, ok := fields["groups"]; ok {
		u.Groups = s.memberships(field, groups)
	}
	if field, ok := fields["expiration"]; ok {
		if u.Expiration = parseExpiration(field, 0); u.Expiration > 0 {
			s.checkRenewal(field, u.Expiration)
		}
	}
	u.From, u.Until = parseTerm(fields)
	u.Why = parseWhy(fields)
	if field, ok := fields["protected"]; ok {
		u.Protected = field.Boolean(false)
	}
	if field, ok := fields["revokedBefore"]; ok {
		u.RevokedBefore = parseMoment(field, revoked)
	}
	if field, ok := fields["request"]; ok {
		u.Request = r.requestOf(field, u, s)
	}
	return u, former, true
}

// previously returns the names that a user had before. None may be in use, or in two lists: its access moves to one user, and
// the name itself ends.
func previously(former []strict.Value, user string, users, given *strict.Roll) []string {
	var names []string
	for _, item := range former {
		name, ok := item.Text()
		if !ok {
			continue
		}
		fault := texts.NameFault(name)
		inUse, taken := users.Find(name)
		taken = taken && (inUse.Name != user || name == user) // another letter case of the user's own name is a rename
		switch {
		case fault != "":
			item.Problem("%s", fault)
		case taken && name != inUse.Name:
			item.Problem("old name %s differs from user %s in %s in letter case only", strict.Quote(name), strict.Quote(inUse.Name), inUse.Place(item))
		case taken && name == user:
			item.Problem("%s is the user's present name: name an earlier one", strict.Quote(name))
		case taken:
			item.Problem("%s is still a user of this inventory, so it is not an earlier name", strict.Quote(name))
		default:
			given.Declare(item, name)
		}
		names = append(names, name)
	}
	return names
}

// memberships returns the groups that a user or a team is in. Each is in a cluster where the user is.
func (s scope) memberships(v strict.Value, groups *strict.Roll) []string {
	var names []string
	seen := map[string]bool{}
	for _, item := range v.Items() {
		name, ok := item.Text()
		if !ok {
			continue
		}
		fault := texts.NameFault(name)
		switch {
		case seen[name]:
			item.Problem("group %s is named twice", strict.Quote(name))
		case groups.Has(name):
			if where, ok := s.groups[name]; ok && where.And(s.within).Empty() && !s.within.Empty() {
				item.Problem("group %s is in none of the user's clusters", strict.Quote(name))
			}
		case fault != "":
			item.Problem("%s", fault)
		default:
			groups.Undeclared(item, name)
		}
		seen[name] = true
		names = append(names, name)
	}
	return names
}
