package inventory

import (
	"github.com/certsync/certsync/inventory/clusters"
	"github.com/certsync/certsync/inventory/shape"
	"github.com/certsync/certsync/inventory/strict"
	"github.com/certsync/certsync/inventory/texts"
)

// roleList says which roles stand in a list.
type roleList int

const (
	onlyClusterRoles roleList = iota // clusterRoles, of a user, a group or an item of namespaces
	onlyRoles                        // roles, of an item of namespaces
	bothKinds                        // a value in the mapping of namespaces
)

// scope says for which clusters the user or group is that a grant belongs to.
type scope struct {
	*fleet
	within clusters.Set
}

// clusterRoles returns the field of that name: the grants in all namespaces.
func (s scope) clusterRoles(fields map[string]strict.Value) []Grant {
	field, ok := fields["clusterRoles"]
	if !ok {
		return nil
	}
	return s.parseGrants(field, onlyClusterRoles, "a Role belongs to one namespace: grant it under namespaces, such as {staging: [{role: deployer}]}")
}

// parseGrants returns a list of roles, each of them once for each cluster. Elsewhere says where a Role can stand that cannot stand
// here.
func (s scope) parseGrants(v strict.Value, of roleList, elsewhere string) []Grant {
	var grants []Grant
	type role struct{ cluster, inNamespace string }
	type place struct {
		line int
		set  clusters.Set
	}
	granted := map[role]place{}
	for _, item := range v.Items() {
		g, set, ok := s.parseGrant(item, of, elsewhere)
		if !ok {
			continue
		}
		// Two ends for one role would leave open which of them counts.
		key := role{g.ClusterRole, g.Role}
		first, known := granted[key]
		if !first.set.And(set).Empty() {
			item.Problem("role %s is granted twice, first in line %d", strict.Quote(g.ClusterRole+g.Role), first.line)
			continue
		}
		if !known {
			first.line = item.Line()
		}
		granted[key] = place{first.line, first.set.Or(set)}
		s.count(item, set)
		grants = append(grants, g)
	}
	return grants
}

// parseGrant returns a role: its name, or a mapping with the name, the beginning, the end and why, and for which clusters.
func (s scope) parseGrant(v strict.Value, of roleList, elsewhere string) (g Grant, set clusters.Set, ok bool) {
	if !v.IsMapping() {
		g.named(v, of)
		return g, s.within, g.ClusterRole+g.Role != ""
	}
	known := shape.GrantKeys
	if of == bothKinds {
		known = shape.NamespaceGrantKeys
	}
	misplaced := false
	fields, ok := v.FieldsOf(known, func(e strict.Entry) bool {
		if e.Name == "role" {
			e.Key.Problem("%s", elsewhere)
			misplaced = true
		}
		return e.Name == "role"
	})
	if !ok || misplaced {
		return Grant{}, set, false
	}
	name, named := fields["name"]
	role, isRole := fields["role"]
	switch {
	case named && isRole:
		v.Problem("has both name and role: write one item for the ClusterRole, and one for the Role")
		return Grant{}, set, false
	case isRole:
		g.Role = role.Checked(texts.RoleFault)
	case named:
		g.named(name, of)
	case of == onlyRoles:
		v.Missing("name", "it is the Role that is granted")
	case of == bothKinds:
		v.Missing("name", "it is the ClusterRole that is granted; for a Role of the namespace, write role")
	default:
		v.Missing("name", "it is the ClusterRole that is granted")
	}
	g.From, g.Until = parseTerm(fields)
	g.Why = parseWhy(fields)
	g.Clusters, set = s.selected(fields, s.within)
	return g, set, g.ClusterRole+g.Role != ""
}

// named sets the role that a name in a list stands for.
func (g *Grant) named(v strict.Value, in roleList) {
	if in == onlyRoles {
		g.Role = v.Checked(texts.RoleFault)
		return
	}
	g.ClusterRole = v.Checked(texts.ClusterRoleFault)
}
