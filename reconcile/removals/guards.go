package removals

import (
	"fmt"
	"maps"
	"slices"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/refusal"
)

// wide reports whether a binding is a ClusterRoleBinding: only administrators can have written what it has.
func (p *part) wide() bool { return p.Kind == reconcile.ClusterRoleBinding }

// each calls do for each subject that goes.
func (d *draft) each(do func(p *part, r *removal)) {
	for _, p := range d.parts {
		for _, r := range p.removals {
			do(p, r)
		}
	}
}

// guard holds what must not be taken, and returns why the plan is refused. All guards look before any of them holds, so that each
// violation is told at once.
func (d *draft) guard() (refusals []string) {
	for _, name := range d.withheld {
		refusals = append(refusals, d.says("revoke the certificates of", name))
	}
	if len(d.inv.Users) == 0 && !d.rules.AllowEmpty {
		const why = refusal.NoUsers
		d.each(func(_ *part, r *removal) {
			if r.user != "" && r.reason != reconcile.CertificateRevoked {
				r.hold(why, reconcile.ByGuard)
			}
		})
		return append(refusals, why)
	}
	var holds []func()
	for _, name := range d.protected() {
		why, hold := d.protect(name)
		if refusals = append(refusals, why...); hold != nil {
			holds = append(holds, hold)
		}
	}
	if len(d.inv.Users) > 0 {
		why, hold := d.limit()
		refusals, holds = append(refusals, why...), append(holds, hold)
	}
	for _, hold := range holds {
		hold()
	}
	return refusals
}

// protected lists the users from whom nothing is taken. Only the state knows of those whom the inventory does not have.
func (d *draft) protected() []string {
	return reconcile.SortedSet(slices.Concat([]string{d.rules.Self}, d.rules.Protect, slices.Collect(maps.Keys(d.guarded))))
}

func (d *draft) says(loss, user string) string {
	by := refusal.ByFlag
	if d.guarded[user] && !slices.Contains(d.rules.Protect, user) {
		by = refusal.ByInventory
	}
	return refusal.Protected(loss, user, d.rules.Self, by)
}

// protect finds what is taken from one user. A loss in a ClusterRoleBinding refuses the plan. Tenants can put the user into a
// RoleBinding, so a loss there holds this user alone.
func (d *draft) protect(name string) (refusals []string, hold func()) {
	var why string
	by := reconcile.ByConflict
	d.each(func(p *part, r *removal) {
		if r.user != name || name == "" {
			return
		}
		if loss := d.says("take "+p.grant.String()+" from", name); why == "" || p.wide() && by == reconcile.ByConflict {
			why = loss
		}
		if p.wide() {
			by = reconcile.ByGuard
		}
	})
	if why == "" {
		return nil, nil
	}
	if by == reconcile.ByGuard {
		refusals = []string{why}
	}
	return refusals, func() {
		d.each(func(_ *part, r *removal) {
			if r.user == name {
				r.hold(why, by)
			}
		})
	}
}

// losses are what ClusterRoleBindings lose, as --max-removals counts it. A user who loses everything in them counts once, as a
// user, and not again with their bindings.
type losses struct {
	users    map[string]bool // who are bound cluster-wide; true: they lose all of that
	bindings map[reconcile.Grant]bool
	subjects map[reconcile.Grant]map[string]bool // true: it goes, and is not among users
	people   map[string]bool                     // of those subjects
}

func (d *draft) losses() losses {
	l := losses{map[string]bool{}, map[reconcile.Grant]bool{}, map[reconcile.Grant]map[string]bool{}, map[string]bool{}}
	stays := map[reconcile.Grant]bool{}
	for _, p := range d.parts {
		if !p.wide() || p.wrongRole() {
			continue
		}
		g := p.whole()
		lost := map[reconcile.Subject]bool{}
		if l.subjects[g] == nil {
			l.subjects[g] = map[string]bool{}
		}
		for _, r := range p.removals {
			lost[r.subject] = true
			if r.user != "" && !r.decided() {
				l.subjects[g][r.user] = true
			}
		}
		stays[g] = stays[g] || p.stays > 0
		for _, s := range p.Subjects {
			if user := s.Person(); user != "" && !lost[s] {
				l.users[user] = false
				l.subjects[g][user] = false
			}
		}
	}
	for _, users := range l.subjects {
		for user, goes := range users {
			if _, kept := l.users[user]; goes && !kept {
				l.users[user] = true
			}
		}
	}
	for g, users := range l.subjects {
		l.bindings[g] = false
		for user, goes := range users {
			if goes && !l.users[user] {
				l.people[user] = true
				l.bindings[g] = l.bindings[g] || !stays[g]
			} else if goes {
				users[user] = false
			}
		}
	}
	return l
}

// limit is --max-removals. It counts ClusterRoleBindings alone, see the package's comment.
func (d *draft) limit() (refusals []string, hold func()) {
	l, limit := d.losses(), d.rules.MaxRemovals
	over := func(what string, taken, total int) string {
		if taken <= limit.Allowed(total) {
			return ""
		}
		why := fmt.Sprintf(what+", more than %s (--max-removals)", taken, total, limit)
		refusals = append(refusals, why)
		return why
	}
	users := over("would take everything cluster-wide from %d of %d users", count(l.users), len(l.users))
	var bindings, subjects string
	// The losses of one person are not what this guard is for: "at least 1" is about people.
	if len(l.people) > 1 || limit.Allowed(1) < 1 {
		lost, all := 0, 0
		for _, users := range l.subjects {
			lost, all = lost+count(users), all+len(users)
		}
		bindings = over("would delete %d of %d cluster-wide bindings", count(l.bindings), len(l.bindings))
		subjects = over("would take %d of %d subjects out of cluster-wide bindings", lost, all)
	}
	return refusals, func() {
		d.each(func(p *part, r *removal) {
			switch g := p.whole(); {
			case r.user == "" || r.decided():
			case users != "" && l.users[r.user]:
				r.hold(users, reconcile.ByGuard)
			case p.wide() && l.subjects[g][r.user] && subjects != "":
				r.hold(subjects, reconcile.ByGuard)
			case p.wide() && l.subjects[g][r.user] && bindings != "" && l.bindings[g]:
				r.hold(bindings, reconcile.ByGuard)
			}
		})
	}
}

// count is how many are true.
func count[K comparable](all map[K]bool) int {
	n := 0
	for _, is := range all {
		if is {
			n++
		}
	}
	return n
}
