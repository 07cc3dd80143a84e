package inventory

// parseGroups decodes the groups, and declares them.
func parseGroups(v value, declared *roll) []Group {
	var groups []Group
	for _, item := range v.items() {
		if g, ok := parseGroup(item, declared); ok {
			groups = append(groups, g)
		}
	}
	return groups
}

func parseGroup(v value, declared *roll) (Group, bool) {
	fields, ok := v.fields(groupKeys...)
	if !ok {
		return Group{}, false
	}
	return Group{
		Name:         parseName(v, fields, declared),
		ClusterRoles: clusterRoles(fields),
		Namespaces:   namespaces(fields),
	}, true
}

// parseName returns the name of a user or group. One that breaks the rules is declared too, so that it is reported once and
// not again by everybody who refers to it.
func parseName(v value, fields map[string]value, declared *roll) string {
	field, ok := fields["name"]
	if !ok {
		v.missing("name", "every "+declared.kind+" has one")
		return ""
	}
	name, ok := field.text()
	if !ok {
		return ""
	}
	if fault := nameFault(name); fault != "" {
		field.problem("%s", fault)
	}
	if name != "" {
		declared.declare(field, name)
	}
	return name
}
