package apply_test

import (
	"maps"
	"slices"
	"strings"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// tookLittle: a run takes no more than --max-removals, unless it is said that everybody is to lose access. A user in
// conflict may lose a role without its replacement. That counts for nobody else.
func (s *scenario) tookLittle(before, after snapshot, inv *inventory.Inventory, back map[string]bool) {
	s.T.Helper()
	allowed := func(total int) int { return map[string]int{"": max(1, total/4), "1": 1, "0": 0}[s.limit] }
	if s.limit == "100%" || len(inv.Users) == 0 {
		return
	}
	if was := before.state; was != nil && was.InventoryDigest == inv.Digest() && !was.HeldBack && was.Grants == nil {
		return // it was looked at when the inventory was new
	}
	stays, renamed := map[string]bool{}, map[string]bool{}
	ended := map[string]bool{}
	for _, u := range inv.Users {
		stays[u.Name], ended[u.Name] = runs(u.From, u.Until, s.Now) && !back[u.Name], !lasts(u.Until, s.Now)
		for _, old := range u.Previously {
			renamed[old] = !u.From.After(s.Now) // the old name of somebody who begins later is removed
		}
	}
	active, removed := 0, []string{}
	for user, rec := range before.records {
		if rec.State != reconcile.Active && rec.State != reconcile.Denied {
			continue
		}
		if before.state != nil {
			if n, indexed := before.state.Names[user]; !indexed || n.Left {
				continue // whoever may write a record can write that somebody is a user
			}
		}
		active++
		if now := after.records[user]; !ended[user] && !renamed[user] && (now == nil || now.State != reconcile.Active && now.State != reconcile.Denied) {
			removed = append(removed, user)
		}
	}
	if len(removed) > allowed(active) {
		s.fail("with --max-removals=%s, of %d users these are removed: %q", s.limit, active, removed)
	}
	s.tookFewPlaces(before, after, inv, stays, allowed)
}

// tookFewPlaces counts what those lose who stay, and have not got the like of it in its place.
func (s *scenario) tookFewPlaces(before, after snapshot, inv *inventory.Inventory, stays map[string]bool, allowed func(int) int) {
	s.T.Helper()
	had, has := s.entries(before), s.entries(after)
	bindings, allBindings, allSubjects := map[string]bool{}, map[string]bool{}, len(had)
	people, lost := map[string]bool{}, []string{}
	if before.state != nil {
		allSubjects = 0
		for g, users := range before.state.Grants.All() {
			allBindings[reconcile.NewBinding("test", g, nil).Object()] = true
			allSubjects += len(users)
		}
	}
	for e, g := range had {
		if before.state == nil {
			allBindings[e.object] = true
		}
		_, still := has[e]
		if can := s.places(after, e.subject.Name, false); can[place{g.Namespace, g.RoleKind, g.Role}] || g.RoleKind == reconcile.ClusterRole && can[place{role: g.Role}] || !before.explained(g, e.subject.Name) {
			continue
		}
		if rec := before.records[e.subject.Name]; rec != nil && rec.State == reconcile.Removing {
			continue // it was decided when the removal began
		}
		if rec := after.records[e.subject.Name]; rec != nil && rec.State == reconcile.Denied && (rec.Current() == nil || !rec.Current().NotAfter.After(s.Now)) {
			continue // their certificate has ended, and the one for which the other role waits was denied
		}
		if still || !stays[e.subject.Name] || after.raised(before, e.subject.Name) || s.over(inv, g) || s.replaced(e, g, before, has) {
			continue
		}
		people[e.subject.Name], lost = true, append(lost, e.subject.Name+" "+e.object)
		if _, there := after.bindings[e.object]; !there {
			bindings[e.object] = true
		}
	}
	if len(people) > 1 || len(people) > 0 && s.limit == "0" {
		slices.Sort(lost)
		if len(lost) > allowed(allSubjects) {
			s.fail("with --max-removals=%s, of %d subjects these are taken out:\n  %s", s.limit, allSubjects, strings.Join(lost, "\n  "))
		}
		if len(bindings) > allowed(len(allBindings)) {
			s.fail("with --max-removals=%s, of %d bindings these are deleted: %q", s.limit, len(allBindings), slices.Sorted(maps.Keys(bindings)))
		}
	}
}

// replaced reports whether somebody got another role, where and by whom they had the one that they lost.
func (s *scenario) replaced(e entry, g reconcile.Grant, before snapshot, has map[entry]reconcile.Grant) bool {
	for other, role := range has {
		if _, old := before.bindings[other.object]; !old && other.subject == e.subject && target(role) == target(g) {
			return true
		}
	}
	return false
}

// over reports whether a grant has ended by `until`.
func (s *scenario) over(inv *inventory.Inventory, g reconcile.Grant) bool {
	says := func(name string, cluster []inventory.Grant, namespaces map[string][]inventory.Grant, byLabel []inventory.Selection) bool {
		if g.Namespace != "" {
			cluster = s.named(namespaces, byLabel)[g.Namespace]
		}
		return name == g.Subject && slices.ContainsFunc(cluster, func(r inventory.Grant) bool {
			return g.Of(r) == g && !lasts(r.Until, s.Now)
		})
	}
	if g.For == reconcile.ForUser {
		return slices.ContainsFunc(inv.Users, func(u inventory.User) bool { return says(u.Name, u.ClusterRoles, u.Namespaces, u.ByLabel) })
	}
	return slices.ContainsFunc(inv.Groups, func(u inventory.Group) bool { return says(u.Name, u.ClusterRoles, u.Namespaces, u.ByLabel) })
}
