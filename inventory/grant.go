package inventory

import "github.com/certsync/certsync/inventory/strict"

// clusterRoles returns the field of that name: the grants in all namespaces.
func clusterRoles(fields map[string]strict.Value) []Grant {
	field, ok := fields["clusterRoles"]
	if !ok {
		return nil
	}
	return parseGrants(field)
}

// namespaces returns the field of that name: the grants in each namespace that has any.
func namespaces(fields map[string]strict.Value) map[string][]Grant {
	field, ok := fields["namespaces"]
	if !ok {
		return nil
	}
	var namespaces map[string][]Grant
	entries, _ := field.Entries()
	for _, e := range entries {
		if fault := namespaceFault(e.Name); fault != "" {
			e.Key.Problem("%s", fault)
		}
		grants := parseGrants(e.Value)
		if len(grants) == 0 {
			continue
		}
		if namespaces == nil {
			namespaces = map[string][]Grant{}
		}
		namespaces[e.Name] = grants
	}
	return namespaces
}

// parseGrants returns a list of roles, each of them once.
func parseGrants(v strict.Value) []Grant {
	var grants []Grant
	lines := map[string]int{}
	for _, item := range v.Items() {
		g, ok := parseGrant(item)
		if !ok {
			continue
		}
		// Two ends for one role would leave open which of them counts.
		if first, twice := lines[g.ClusterRole]; twice {
			item.Problem("role %s is granted twice, first in line %d", strict.Quote(g.ClusterRole), first)
			continue
		}
		lines[g.ClusterRole] = item.Line()
		grants = append(grants, g)
	}
	return grants
}

// parseGrant returns a role: its name, or a mapping with the name, the beginning, the end and why.
func parseGrant(v strict.Value) (Grant, bool) {
	if !v.IsMapping() {
		role := v.Checked(roleFault)
		return Grant{ClusterRole: role}, role != ""
	}
	fields, ok := v.Fields(grantKeys...)
	if !ok {
		return Grant{}, false
	}
	var g Grant
	if field, ok := fields["name"]; ok {
		g.ClusterRole = field.Checked(roleFault)
	} else {
		v.Missing("name", "it is the ClusterRole that is granted")
	}
	g.From, g.Until = parseTerm(fields)
	g.Why = parseWhy(fields)
	return g, g.ClusterRole != ""
}
