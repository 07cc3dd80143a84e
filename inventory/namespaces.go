package inventory

import (
	"github.com/certsync/certsync/inventory/selector"
	"github.com/certsync/certsync/inventory/shape"
	"github.com/certsync/certsync/inventory/strict"
	"github.com/certsync/certsync/inventory/texts"
)

// Selection is what is granted in each namespace that a selector matches.
type Selection struct {
	Selector Selector
	Grants   []Grant
}

// namespaces returns the field of that name: the grants in each namespace that has any, and in those that selectors match.
func (s scope) namespaces(fields map[string]strict.Value) (named map[string][]Grant, byLabel []Selection) {
	field, ok := fields["namespaces"]
	if !ok {
		return nil, nil
	}
	if field.IsList() {
		return s.listed(field)
	}
	entries, _ := field.Entries()
	for _, e := range entries {
		if fault := texts.NamespaceFault(e.Name); fault != "" {
			e.Key.Problem("%s", fault)
		}
		grants := s.parseGrants(e.Value, bothKinds, "")
		if len(grants) == 0 {
			continue
		}
		if named == nil {
			named = map[string][]Grant{}
		}
		named[e.Name] = grants
	}
	return named, nil
}

// listed returns what a list of namespaces grants. Each item has a name or a selector.
func (s scope) listed(v strict.Value) (named map[string][]Grant, byLabel []Selection) {
	lines := map[string]int{}
	for _, item := range v.Items() {
		fields, ok := item.Fields(shape.NamespaceItemKeys...)
		if !ok {
			continue
		}
		name, hasName := fields["name"]
		labels, hasSelector := fields["selector"]
		grants := s.itemGrants(item, fields)
		switch {
		case hasName && hasSelector:
			item.Problem("has both name and selector: write one item for the namespace, and one for the selector")
		case hasName:
			namespace := name.Checked(texts.NamespaceFault)
			if first, twice := lines[namespace]; twice && namespace != "" {
				name.Problem("namespace %s is listed twice, first in line %d", strict.Quote(namespace), first)
			} else if lines[namespace] = name.Line(); len(grants) > 0 {
				if named == nil {
					named = map[string][]Grant{}
				}
				named[namespace] = grants
			}
		case hasSelector:
			if asked, ok := selector.Parse(labels); ok && len(grants) > 0 {
				byLabel = append(byLabel, Selection{asked, grants})
			}
		default:
			item.Missing("name", "write the namespace's name, or a selector of namespaces by their labels")
		}
	}
	return named, byLabel
}

// itemGrants returns the grants of one item in a list of namespaces.
func (s scope) itemGrants(item strict.Value, fields map[string]strict.Value) []Grant {
	var grants []Grant
	cluster, hasCluster := fields["clusterRoles"]
	roles, hasRoles := fields["roles"]
	if hasCluster {
		grants = s.parseGrants(cluster, onlyClusterRoles, "write a Role of the namespace under roles, beside clusterRoles")
	}
	if hasRoles {
		grants = append(grants, s.parseGrants(roles, onlyRoles, "under roles, write name: all of them are Roles")...)
	}
	if !hasCluster && !hasRoles {
		item.Missing("clusterRoles", "write clusterRoles, roles or both")
	}
	return grants
}
