package granted

import (
	"maps"
	"slices"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// The bounds of selectors. Where they come to more, what they gave before stays, see Frozen.
const (
	MaxSelected = 50_000     // grants that they give in single namespaces
	MaxSubjects = 1_000_000  // users in these grants: each member of a group counts. A plan for so many takes a few hundred MB
	maxMatched  = 20_000_000 // comparisons of a selector with a namespace, which take a few seconds
)

// Size is what selectors give in single namespaces.
type Size struct{ grants, subjects int }

// And is the size with further grants, to a user or to a group with so many members. It reports whether it is within the bounds.
func (s Size) And(grants, members int) (Size, bool) {
	s = Size{s.grants + grants, s.subjects + grants*max(members, 1)}
	return s, s.grants <= MaxSelected && s.subjects <= MaxSubjects
}

// Members counts the users of each group.
func Members(inv *inventory.Inventory) map[string]int {
	members := map[string]int{}
	for _, u := range inv.Users {
		for _, group := range u.Groups {
			members[group]++
		}
	}
	return members
}

// systemNamespace is where the parts of Kubernetes run. Whoever may write there is as good as cluster-admin.
const systemNamespace = "kube-system"

// Selectable lists the namespaces that selectors may match, sorted: all but kube-system and those in never.
func Selectable(namespaces map[string]reconcile.Namespace, never ...string) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(namespaces)), func(name string) bool { return !selectable(name, never) })
}

func selectable(namespace string, never []string) bool {
	return namespace != systemNamespace && !slices.Contains(never, namespace)
}

// Selects reports whether an inventory has selectors.
func Selects(inv *inventory.Inventory) bool {
	return slices.ContainsFunc(inv.Groups, func(g inventory.Group) bool { return len(g.ByLabel) > 0 }) ||
		slices.ContainsFunc(inv.Users, func(u inventory.User) bool { return len(u.ByLabel) > 0 })
}

// BySelector reports whether a selector of an inventory gives g's role to g's user or group at any time, in whatever namespaces.
func BySelector(inv *inventory.Inventory, g reconcile.Grant) bool {
	return bySelector(inv, g, func(inventory.Grant) bool { return true })
}

// BySelectorAt reports whether BySelector is true of a grant that is in force at a time.
func BySelectorAt(inv *inventory.Inventory, g reconcile.Grant, at time.Time) bool {
	return bySelector(inv, g, func(r inventory.Grant) bool { return !Ahead(r.From, at) && !Ended(r.Until, at) })
}

func bySelector(inv *inventory.Inventory, g reconcile.Grant, runs func(inventory.Grant) bool) bool {
	gives := func(s inventory.Selection) bool {
		return slices.ContainsFunc(s.Grants, func(r inventory.Grant) bool { return g.Of(r) == g && runs(r) })
	}
	if g.For == reconcile.ForGroup {
		return slices.ContainsFunc(inv.Groups, func(f inventory.Group) bool { return f.Name == g.Subject && slices.ContainsFunc(f.ByLabel, gives) })
	}
	return slices.ContainsFunc(inv.Users, func(f inventory.User) bool { return f.Name == g.Subject && slices.ContainsFunc(f.ByLabel, gives) })
}

// Effective is an inventory without selectors: what they give at a time stands under the namespaces that they match. Where a role
// is granted in a namespace twice, one grant stays: the one in force that lasts longest. The second result is false where
// selectors come to more than they may.
func Effective(inv *inventory.Inventory, namespaces map[string]reconcile.Namespace, at time.Time, never ...string) (*inventory.Inventory, bool) {
	if !Selects(inv) {
		return inv, true
	}
	m := &matching{names: Selectable(namespaces, never...), namespaces: namespaces, at: at, matched: map[string][]string{}, ok: true}
	out := *inv
	out.Groups, out.Users = slices.Clone(inv.Groups), slices.Clone(inv.Users)
	members := Members(inv)
	for i := range out.Groups {
		g := &out.Groups[i]
		g.Namespaces, g.ByLabel = m.resolve(g.Namespaces, g.ByLabel, members[g.Name]), nil
	}
	for i := range out.Users {
		u := &out.Users[i]
		u.Namespaces, u.ByLabel = m.resolve(u.Namespaces, u.ByLabel, 1), nil
	}
	return &out, m.ok
}

// matching is one call of Effective.
type matching struct {
	names      []string
	namespaces map[string]reconcile.Namespace
	at         time.Time
	matched    map[string][]string // namespaces, by the selector as text: many users have the same one
	compared   int
	size       Size
	ok         bool
}

// resolve returns the grants of one user, or of a group with so many members, in each namespace.
func (m *matching) resolve(named map[string][]inventory.Grant, byLabel []inventory.Selection, members int) map[string][]inventory.Grant {
	if len(byLabel) == 0 {
		return named
	}
	out := newMerged(named, m.at)
	for _, s := range byLabel {
		for _, namespace := range m.match(s.Selector) {
			size, within := m.size.And(len(s.Grants), members)
			if m.size = size; !within {
				m.ok = false
				return out.all
			}
			out.add(namespace, s.Grants...)
		}
	}
	return out.all
}

// match lists the namespaces that a selector matches.
func (m *matching) match(s inventory.Selector) []string {
	text := s.String()
	names, known := m.matched[text]
	if known {
		return names
	}
	if m.compared += len(m.names); m.compared > maxMatched {
		m.ok = false
		return nil
	}
	for _, name := range m.names {
		if s.Matches(m.namespaces[name].Labels) {
			names = append(names, name)
		}
	}
	m.matched[text] = names
	return names
}
