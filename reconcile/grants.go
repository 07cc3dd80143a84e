package reconcile

import (
	"maps"
	"slices"
	"strings"
)

// Grants is what users have by certsync: the grants of the inventory that was applied last, and earlier ones that this run had to
// leave. A role is "view" where it is bound cluster-wide, "staging/view" in a namespace, and "staging/Role/deployer" if it is a Role
// there. No name has a slash. All lists are sorted.
type Grants struct {
	Users  map[string]UserGrants `json:"users"`
	Groups map[string][]string   `json:"groups"` // roles, by group
	// Going has the grants that this run or an earlier one took, or left because it was cut off. Guards do not count them. They
	// tell certsync's own bindings from those that somebody else made.
	Going *Grants `json:"going,omitempty"`
}

// UserGrants is what one user may have.
type UserGrants struct {
	Roles  []string `json:"roles,omitempty"`  // of their own
	Groups []string `json:"groups,omitempty"` // in whose bindings they may be
}

// NewGrants collects grants, each with its users.
func NewGrants(of map[Grant][]string) *Grants {
	all := &Grants{Users: map[string]UserGrants{}, Groups: map[string][]string{}}
	for g, users := range of {
		if g.For == ForGroup && len(users) > 0 {
			all.Groups[g.Subject] = append(all.Groups[g.Subject], g.role())
		}
		for _, name := range users {
			u := all.Users[name]
			if g.For == ForUser {
				u.Roles = append(u.Roles, g.role())
			} else {
				u.Groups = append(u.Groups, g.Subject)
			}
			all.Users[name] = u
		}
	}
	all.sort()
	return all
}

// rolePart stands between a namespace and the name of its Role.
const rolePart = "/Role/"

// role is how Grants writes the role of a grant.
func (g Grant) role() string {
	if g.Namespace == "" {
		return g.Role
	}
	if g.RoleKind == NamespaceRole {
		return g.Namespace + rolePart + g.Role
	}
	return g.Namespace + "/" + g.Role
}

func (a *Grants) sort() {
	for group, roles := range a.Groups {
		a.Groups[group] = SortedSet(roles)
	}
	for name, u := range a.Users {
		a.Users[name] = UserGrants{SortedSet(u.Roles), SortedSet(u.Groups)}
	}
	if a.Going != nil {
		a.Going.sort()
	}
}

// Has reports whether certsync may have given g to a user. The part of a group's binding does not matter.
func (a *Grants) Has(g Grant, user string) bool {
	u := a.Users[user]
	if g.For == ForUser {
		return g.Subject == user && has(u.Roles, g.role())
	}
	return has(u.Groups, g.Subject) && has(a.Groups[g.Subject], g.role())
}

// Explains reports whether certsync may have made a binding for g.
func (a *Grants) Explains(g Grant) bool {
	switch {
	case a == nil:
		return false
	case g.For == ForUser && a.Has(g, g.Subject), g.For == ForGroup && has(a.Groups[g.Subject], g.role()):
		return true
	}
	return a.Going.Explains(g)
}

func has(sorted []string, value string) bool {
	_, found := slices.BinarySearch(sorted, value)
	return found
}

// All lists the grants, each with its users, sorted, without those that are going.
func (a *Grants) All() map[Grant][]string {
	all := map[Grant][]string{}
	add := func(of SubjectKind, subject, role, user string) {
		g := Grant{For: of, Subject: subject, Role: role}
		if namespace, name, ok := strings.Cut(role, rolePart); ok {
			g.Namespace, g.RoleKind, g.Role = namespace, NamespaceRole, name
		} else if namespace, name, ok := strings.Cut(role, "/"); ok {
			g.Namespace, g.Role = namespace, name
		}
		all[g] = append(all[g], user)
	}
	for _, name := range slices.Sorted(maps.Keys(a.Users)) {
		for _, role := range a.Users[name].Roles {
			add(ForUser, name, role, name)
		}
		for _, group := range a.Users[name].Groups {
			for _, role := range a.Groups[group] {
				add(ForGroup, group, role, name)
			}
		}
	}
	return all
}
