package export

import (
	"slices"
	"strings"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/granted"
)

// JoinByLabel replaces equal roles in all namespaces that have the same value of a label by a selector for that value. A role that
// a user or group has in only some of these namespaces stays as it is, since a selector would give more. never are the namespaces that no
// selector matches.
func (r *Result) JoinByLabel(key string, namespaces map[string]reconcile.Namespace, never ...string) {
	j, members := joiner{key: key, sharing: sharing(key, namespaces, never)}, granted.Members(r.Inventory)
	for i := range r.Inventory.Groups {
		g := &r.Inventory.Groups[i]
		g.ByLabel = j.join(g.Namespaces, members[g.Name])
	}
	for i := range r.Inventory.Users {
		u := &r.Inventory.Users[i]
		u.ByLabel = j.join(u.Namespaces, 1)
	}
	if j.size != (granted.Size{}) {
		r.ByLabel = key
	}
}

// joiner is one call of JoinByLabel.
type joiner struct {
	key     string
	sharing []shared
	size    granted.Size // of what is joined
}

// shared is a value of the label, and the namespaces that a selector for it matches.
type shared struct {
	value      string
	namespaces []string
}

// sharing lists the values of a label that two namespaces have, sorted.
func sharing(key string, namespaces map[string]reconcile.Namespace, never []string) []shared {
	byValue := map[string][]string{}
	for _, name := range granted.Selectable(namespaces, never...) {
		if value, ok := namespaces[name].Labels[key]; ok {
			byValue[value] = append(byValue[value], name)
		}
	}
	var all []shared
	for value, names := range byValue {
		if len(names) > 1 {
			all = append(all, shared{value, names})
		}
	}
	slices.SortFunc(all, func(a, b shared) int { return strings.Compare(a.value, b.value) })
	return all
}

// join takes what selectors can say out of the grants of one user, or of a group with so many members, and returns it.
func (j *joiner) join(named map[string][]inventory.Grant, members int) []inventory.Selection {
	var out []inventory.Selection
	for _, s := range j.sharing {
		common := slices.Clone(named[s.namespaces[0]])
		for _, name := range s.namespaces[1:] {
			common = slices.DeleteFunc(common, func(g inventory.Grant) bool { return !slices.Contains(named[name], g) })
		}
		// An inventory whose selectors come to more would be refused.
		size, within := j.size.And(len(common)*len(s.namespaces), members)
		if len(common) == 0 || !within {
			continue
		}
		j.size = size
		for _, name := range s.namespaces {
			rest := slices.DeleteFunc(named[name], func(g inventory.Grant) bool { return slices.Contains(common, g) })
			if named[name] = rest; len(rest) == 0 {
				delete(named, name)
			}
		}
		out = append(out, inventory.Selection{Selector: inventory.SelectorOf(j.key, s.value), Grants: common})
	}
	return out
}
