package inventory

import yaml "sigs.k8s.io/yaml/goyaml.v3"

// clusterRoles returns the field of that name: the grants in all namespaces.
func clusterRoles(fields map[string]value) []Grant {
	field, ok := fields["clusterRoles"]
	if !ok {
		return nil
	}
	return parseGrants(field)
}

// namespaces returns the field of that name: the grants in each namespace that has any.
func namespaces(fields map[string]value) map[string][]Grant {
	field, ok := fields["namespaces"]
	if !ok {
		return nil
	}
	var namespaces map[string][]Grant
	entries, _ := field.entries()
	for _, e := range entries {
		if fault := namespaceFault(e.name); fault != "" {
			e.key.problem("%s", fault)
		}
		grants := parseGrants(e.value)
		if len(grants) == 0 {
			continue
		}
		if namespaces == nil {
			namespaces = map[string][]Grant{}
		}
		namespaces[e.name] = grants
	}
	return namespaces
}

// parseGrants returns a list of roles, each of them once.
func parseGrants(v value) []Grant {
	var grants []Grant
	lines := map[string]int{}
	for _, item := range v.items() {
		g, ok := parseGrant(item)
		if !ok {
			continue
		}
		// Two ends for one role would leave open which of them counts.
		if first, twice := lines[g.ClusterRole]; twice {
			item.problem("role %s is granted twice, first in line %d", show(g.ClusterRole), first)
			continue
		}
		lines[g.ClusterRole] = item.node.Line
		grants = append(grants, g)
	}
	return grants
}

// parseGrant returns a role: its name, or a mapping with the name and the end.
func parseGrant(v value) (Grant, bool) {
	if v.node.Kind != yaml.MappingNode {
		role := v.checked(roleFault)
		return Grant{ClusterRole: role}, role != ""
	}
	fields, ok := v.fields(grantKeys...)
	if !ok {
		return Grant{}, false
	}
	var g Grant
	if field, ok := fields["name"]; ok {
		g.ClusterRole = field.checked(roleFault)
	} else {
		v.missing("name", "it is the ClusterRole that is granted")
	}
	if field, ok := fields["until"]; ok {
		g.Until = field.until()
	}
	return g, g.ClusterRole != ""
}
