package inventory

// parseUsers decodes the users, whose groups must be declared, but for the old names. An old name must not be that of a user
// further down, or in a team's file, so former is read when all users are known.
func parseUsers(v value, declared, groups *roll, defaults Defaults) (users []User, former [][]value) {
	for _, item := range v.items() {
		if u, old, ok := parseUser(item, declared, groups, defaults); ok {
			users, former = append(users, u), append(former, old)
		}
	}
	return users, former
}

// parseUser decodes one user, but for the old names.
func parseUser(v value, declared, groups *roll, defaults Defaults) (u User, former []value, ok bool) {
	fields, ok := v.fields(userKeys...)
	if !ok {
		return User{}, nil, false
	}
	u = User{
		Name:         parseName(v, fields, declared),
		ClusterRoles: clusterRoles(fields),
		Namespaces:   namespaces(fields),
		Expiration:   defaults.Expiration, RevokedBefore: defaults.RevokedBefore,
	}
	if field, ok := fields["previously"]; ok {
		former = field.items()
	}
	if field, ok := fields["groups"]; ok {
		u.Groups = parseMemberships(field, groups)
	}
	if field, ok := fields["expiration"]; ok {
		u.Expiration = field.expiration(defaults.Expiration)
		checkRenewal(field, defaults.RenewBefore, u.Expiration)
	}
	if field, ok := fields["until"]; ok {
		u.Until = field.until()
	}
	if field, ok := fields["revokedBefore"]; ok {
		if at := field.moment(revoked); at.After(u.RevokedBefore) {
			u.RevokedBefore = at
		}
	}
	if field, ok := fields["request"]; ok {
		u.Request = requestOf(field, u, defaults)
	}
	return u, former, true
}

// previously returns the names that a user had before. None may be in use, or in two lists: its access moves to one user, and
// the name itself ends.
func previously(former []value, user string, users, given *roll) []string {
	var names []string
	for _, item := range former {
		name, ok := item.text()
		if !ok {
			continue
		}
		fault := nameFault(name)
		inUse, taken := users.find(name)
		taken = taken && (inUse.name != user || name == user) // another letter case of the user's own name is a rename
		switch {
		case fault != "":
			item.problem("%s", fault)
		case taken && name != inUse.name:
			item.problem("old name %s differs from user %s in %s in letter case only", show(name), show(inUse.name), inUse.place(item))
		case taken && name == user:
			item.problem("%s is the user's present name: name an earlier one", show(name))
		case taken:
			item.problem("%s is still a user of this inventory, so it is not an earlier name", show(name))
		default:
			given.declare(item, name)
		}
		names = append(names, name)
	}
	return names
}

// parseMemberships returns the groups that a user is in.
func parseMemberships(v value, groups *roll) []string {
	var names []string
	seen := map[string]bool{}
	for _, item := range v.items() {
		name, ok := item.text()
		if !ok {
			continue
		}
		fault := nameFault(name)
		switch {
		case seen[name]:
			item.problem("group %s is named twice", show(name))
		case groups.has(name):
		case fault != "":
			item.problem("%s", fault)
		default:
			item.problem("group %s %s%s", show(name), groups.lacks, item.didYouMean(name, groups.candidates(name)))
		}
		seen[name] = true
		names = append(names, name)
	}
	return names
}
