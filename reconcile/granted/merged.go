package granted

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// Frozen is an inventory without selectors, where these come to more than they may: what they gave in single namespaces, and given
// has, stays, and nothing comes. So nobody who makes namespaces keeps a removal from being done. In kube-system and in those in never
// no selector gave anything.
func Frozen(inv *inventory.Inventory, given []reconcile.Grant, at time.Time, never ...string) *inventory.Inventory {
	type subject struct {
		kind reconcile.SubjectKind
		name string
	}
	by := map[subject][]reconcile.Grant{}
	for _, g := range given {
		if g.Namespace != "" && selectable(g.Namespace, never) {
			by[subject{g.For, g.Subject}] = append(by[subject{g.For, g.Subject}], g)
		}
	}
	keep := func(kind reconcile.SubjectKind, name string, named map[string][]inventory.Grant, byLabel []inventory.Selection) map[string][]inventory.Grant {
		if len(byLabel) == 0 {
			return named
		}
		out := newMerged(named, at)
		for _, g := range by[subject{kind, name}] {
			for _, s := range byLabel {
				out.add(g.Namespace, slices.DeleteFunc(slices.Clone(s.Grants), func(r inventory.Grant) bool { return g.Of(r) != g })...)
			}
		}
		return out.all
	}
	out := *inv
	out.Groups, out.Users = slices.Clone(inv.Groups), slices.Clone(inv.Users)
	for i := range out.Groups {
		g := &out.Groups[i]
		g.Namespaces, g.ByLabel = keep(reconcile.ForGroup, g.Name, g.Namespaces, g.ByLabel), nil
	}
	for i := range out.Users {
		u := &out.Users[i]
		u.Namespaces, u.ByLabel = keep(reconcile.ForUser, u.Name, u.Namespaces, u.ByLabel), nil
	}
	return &out
}

// role is a grant's role in a namespace.
type role struct{ namespace, clusterRole, role string }

// merged collects the grants of one user or group in each namespace, one for each role.
type merged struct {
	all map[string][]inventory.Grant
	at  map[role]int // where the role stands in its list
	now time.Time
}

func newMerged(named map[string][]inventory.Grant, now time.Time) *merged {
	m := &merged{map[string][]inventory.Grant{}, map[role]int{}, now}
	for _, namespace := range slices.Sorted(maps.Keys(named)) {
		m.add(namespace, named[namespace]...)
	}
	return m
}

func (m *merged) add(namespace string, grants ...inventory.Grant) {
	for _, g := range grants {
		key := role{namespace, g.ClusterRole, g.Role}
		i, twice := m.at[key]
		switch {
		case !twice:
			m.at[key] = len(m.all[namespace])
			m.all[namespace] = append(m.all[namespace], g)
		case m.outlasts(g, m.all[namespace][i]):
			m.all[namespace][i] = g
		}
	}
}

// outlasts reports whether a grant stays in place of another one of the same role: one in force before one that is ahead, and that
// before one that has ended. Of two that are ahead, the earlier one stays. Otherwise the one with the later end does.
func (m *merged) outlasts(g, other inventory.Grant) bool {
	if order := cmp.Compare(m.phase(g), m.phase(other)); order != 0 {
		return order < 0
	}
	if m.phase(g) == isAhead && !g.From.Equal(other.From) {
		return g.From.Before(other.From)
	}
	return !other.Until.IsZero() && (g.Until.IsZero() || g.Until.After(other.Until))
}

// The phases of a grant, in the order in which one stays in place of another.
const (
	inForce = iota
	isAhead
	hasEnded
)

func (m *merged) phase(g inventory.Grant) int {
	switch {
	case Ended(g.Until, m.now):
		return hasEnded
	case Ahead(g.From, m.now):
		return isAhead
	}
	return inForce
}
