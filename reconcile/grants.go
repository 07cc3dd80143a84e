package reconcile

import (
	"maps"
	"slices"
	"strings"
)

// Grants is what certsync may have bound: by the inventory that was applied last, and by earlier ones as far as that is still
// to be taken. A role is "view" where it is bound cluster-wide, and "staging/view" in a namespace. All lists are sorted.
type Grants struct {
	Users  map[string]UserGrants `json:"users"`
	Groups map[string][]string   `json:"groups"` // roles, by group
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

// role is how Grants writes the role of a grant.
func (g Grant) role() string {
	if g.Namespace == "" {
		return g.Role
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
	if g.For == ForUser {
		return a.Has(g, g.Subject)
	}
	return has(a.Groups[g.Subject], g.role())
}

func has(sorted []string, value string) bool {
	_, found := slices.BinarySearch(sorted, value)
	return found
}

// All lists the grants, each with its users, sorted.
func (a *Grants) All() map[Grant][]string {
	all := map[Grant][]string{}
	add := func(of SubjectKind, subject, role, user string) {
		g := Grant{For: of, Subject: subject, Role: role}
		if namespace, name, ok := strings.Cut(role, "/"); ok {
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
