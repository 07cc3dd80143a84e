package inventory

import (
	"github.com/certsync/certsync/inventory/shape"
	"github.com/certsync/certsync/inventory/strict"
	"github.com/certsync/certsync/inventory/texts"
)

// groups decodes the groups, and declares them.
func (r *run) groups(v strict.Value, declared *strict.Roll) []Group {
	var groups []Group
	for _, item := range v.Items() {
		if g, ok := r.group(item, declared); ok {
			groups = append(groups, g)
		}
	}
	return groups
}

func (r *run) group(v strict.Value, declared *strict.Roll) (Group, bool) {
	fields, ok := v.Fields(shape.GroupKeys...)
	if !ok {
		return Group{}, false
	}
	g := Group{Name: parseName(v, fields, declared)}
	s := scope{fleet: r.fleet}
	g.Clusters, s.within = r.fleet.selected(fields, r.fleet.All)
	r.fleet.groups[g.Name] = s.within
	s.count(v, s.within)
	g.ClusterRoles = s.clusterRoles(fields)
	g.Namespaces, g.ByLabel = s.namespaces(fields)
	return g, true
}

// parseName returns the name of a user or group. One that breaks the rules is declared too, so that it is reported once and
// not again by everybody who refers to it.
func parseName(v strict.Value, fields map[string]strict.Value, declared *strict.Roll) string {
	field, ok := fields["name"]
	if !ok {
		v.Missing("name", "every "+declared.Kind+" has one")
		return ""
	}
	name, ok := field.Text()
	if !ok {
		return ""
	}
	if fault := texts.NameFault(name); fault != "" {
		field.Problem("%s", fault)
	}
	if name != "" {
		declared.Declare(field, name)
	}
	return name
}
