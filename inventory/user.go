package inventory

// users decodes the users, whose groups must be declared.
func (v value) users(groups *roll, defaults Defaults) []User {
	var users []User
	declared := newRoll("user")
	for _, item := range v.items() {
		if u, ok := item.user(declared, groups, defaults); ok {
			users = append(users, u)
		}
	}
	return users
}

func (v value) user(declared, groups *roll, defaults Defaults) (User, bool) {
	fields, ok := v.fields("name", "groups", "clusterRoles", "namespaces", "expiration", "until")
	if !ok {
		return User{}, false
	}
	u := User{
		Name:         v.name(fields, declared),
		ClusterRoles: clusterRoles(fields),
		Namespaces:   namespaces(fields),
		Expiration:   defaults.Expiration,
	}
	if field, ok := fields["groups"]; ok {
		u.Groups = field.memberships(groups)
	}
	if field, ok := fields["expiration"]; ok {
		u.Expiration = field.expiration(defaults.Expiration)
		field.fits(defaults.RenewBefore, u.Expiration)
	}
	if field, ok := fields["until"]; ok {
		u.Until = field.until()
	}
	return u, true
}

// memberships returns the groups that a user is in.
func (v value) memberships(groups *roll) []string {
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
			item.problem("group %s is not declared%s", show(name), item.didYouMean(name, groups.candidates(name)))
		}
		seen[name] = true
		names = append(names, name)
	}
	return names
}
