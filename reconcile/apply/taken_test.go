package apply_test

import (
	"cmp"
	"slices"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// entry is a subject in a binding.
type entry struct {
	object  string
	subject reconcile.Subject
}

// place is a role in a namespace, or cluster-wide.
type place struct {
	namespace string
	kind      reconcile.RoleKind
	role      string
}

// target is for whom a grant is, and where, whatever the role.
func target(g reconcile.Grant) reconcile.Grant {
	return reconcile.Grant{For: g.For, Subject: g.Subject, Namespace: g.Namespace}
}

// snapshot is what people have at a time: what a run has taken is worked out from two of them, apart from package plan.
type snapshot struct {
	bindings map[string]reconcile.Binding
	stored   map[string]int               // the version of the credential, for those that can be read
	records  map[string]*reconcile.Record // nil: unreadable
	state    *reconcile.State
}

func (s *scenario) snapshot() snapshot {
	n := snapshot{map[string]reconcile.Binding{}, map[string]int{}, map[string]*reconcile.Record{}, s.State}
	for object, b := range s.Bindings {
		b.Subjects = slices.Clone(b.Subjects)
		n.bindings[object] = b
	}
	for user, u := range s.Users {
		if v := u.Versions[u.Current]; !v.Deleted && !v.Destroyed {
			n.stored[user] = u.Current
		}
	}
	for user, l := range s.Ledger {
		if rec := l.Versions[l.Current].Record; rec != nil && rec.User == user {
			n.records[user] = rec
		}
	}
	return n
}

// entries lists who has what, in the present epoch, by bindings of ours that grant what their names say.
func (s *scenario) entries(n snapshot) map[entry]reconcile.Grant {
	all := map[entry]reconcile.Grant{}
	for object, b := range n.bindings {
		g, _ := reconcile.ParseBindingName("test", b.Namespace, b.Name)
		if !ours(b) || b.Terminating || b.RoleRef != g.RoleRef() {
			continue
		}
		for _, subject := range b.Subjects {
			user, epoch := reconcile.Person(subject.Name)
			is := s.memory.epochs[user] // if nobody else knows
			if n.state != nil && n.state.Names[user].Epoch > 0 {
				is = n.state.Names[user].Epoch
			}
			if epoch == max(is, reconcile.FirstEpoch) && subject == reconcile.UserSubject(subject.Name) {
				all[entry{object, reconcile.UserSubject(user)}] = g
			}
		}
	}
	return all
}

// tookOnly: whatever becomes of a run, it took nothing that it should have left.
func (s *scenario) tookOnly(before snapshot, inv *inventory.Inventory, o reconcile.Observed, p reconcile.Plan) {
	s.T.Helper()
	after := s.snapshot()
	s.tookNothingForbidden(before, after)
	s.tookNothingHeld(before, after, p)
	s.tookNothingProtected(before, after, inv, o)
	s.tookLittle(before, after, inv, without(inv, p))
}

// tookNothingForbidden: a policy that takes nothing away takes nothing away.
func (s *scenario) tookNothingForbidden(before, after snapshot) {
	s.T.Helper()
	if s.Rules.Policy.Takes() {
		return
	}
	adds := s.Rules.Policy == reconcile.UpsertOnly
	for object, b := range before.bindings {
		now := after.bindings[object]
		if now.UID != b.UID || !adds && !gocmp.Equal(b, now) {
			s.fail("with --policy=%s, %+v became %+v", s.Rules.Policy, b, now)
		}
		for _, subject := range b.Subjects {
			if !slices.Contains(now.Subjects, subject) {
				s.fail("with --policy=%s, %s lost %s", s.Rules.Policy, object, subject)
			}
		}
	}
	for user, version := range before.stored {
		now := after.stored[user]
		if now < version || !adds && now > version && !slices.Contains(s.Rules.Adopt, user) {
			s.fail("with --policy=%s, the credential of %s went from version %d to %d", s.Rules.Policy, user, version, now)
		}
	}
	for user, rec := range before.records {
		now := after.records[user]
		if now == nil || now.State != rec.State && now.State != reconcile.Active && now.State != reconcile.Denied {
			s.fail("with --policy=%s, the record of %s became %+v", s.Rules.Policy, user, now)
		}
	}
}

// tookNothingHeld: what a plan says is held stays.
func (s *scenario) tookNothingHeld(before, after snapshot, p reconcile.Plan) {
	s.T.Helper()
	had, has := s.entries(before), s.entries(after)
	for _, step := range p.Steps {
		if step.Held == "" || step.HeldBy == reconcile.ByPolicy {
			continue
		}
		if step.Object() == "" && after.stored[step.User] != before.stored[step.User] {
			s.fail("%s of %s is held, and the credential went from version %d to %d", step.Action, step.User, before.stored[step.User], after.stored[step.User])
		}
		for e := range had {
			mine := step.Action == reconcile.Remove && step.HeldBy == reconcile.ByGuard && step.User == e.subject.Name && before.explained(had[e], step.User) && before.present(e.object, step.User)
			its := step.Object() == e.object && (step.Action == reconcile.Unbind || step.Action == reconcile.Update && slices.ContainsFunc(step.Detail.Remove, func(name string) bool {
				user, epoch := reconcile.Person(name)
				return user == e.subject.Name && epoch == max(s.memory.epochs[user], reconcile.FirstEpoch)
			}))
			user := e.subject.Name
			if _, still := has[e]; (mine || its) && !still {
				s.fail("%s of %s%s %s is held, and %s was taken out of %s", step.Action, step.User, step.Group, step.Object(), user, e.object)
			}
			if its && step.HeldBy == reconcile.ByGuard && after.stored[user] < before.stored[user] {
				s.fail("%s of %s%s %s is held, and %s lost the credential", step.Action, step.User, step.Group, step.Object(), user)
			}
		}
	}
}

// tookNothingProtected: who is protected, and holds a certificate that works, can do everything that they could before.
func (s *scenario) tookNothingProtected(before, after snapshot, inv *inventory.Inventory, o reconcile.Observed) {
	s.T.Helper()
	names := append(slices.Clone(s.Rules.Protect), cmp.Or(s.Rules.Self, "certsync"))
	for _, u := range inv.Users {
		if u.Protected || before.state != nil && before.state.Names[u.Name].Protected {
			names = append(names, u.Name)
		}
	}
	for _, name := range names {
		if !s.accountable(name, inv, o) || after.raised(before, name) {
			continue
		}
		was, is := before.records[name], after.records[name]
		could, can := s.places(before, name, true), s.places(after, name, false)
		for p := range could {
			expired := was != nil && was.Current() != nil && !lasts(was.Current().NotAfter, s.Now)
			if !expired && !can[p] && (p.kind != reconcile.ClusterRole || !can[place{role: p.role}]) {
				s.fail("%s is protected, and lost %+v", name, p)
			}
		}
		if before.stored[name] > after.stored[name] && !slices.Contains(s.Rules.Adopt, name) {
			s.fail("%s is protected, and lost the credential", name)
		}
		if was == nil || was.State != reconcile.Active || was.Current() == nil || before.stored[name] != was.Current().CredentialVersion {
			continue
		}
		if is == nil {
			s.fail("%s is protected, and lost the record", name)
		}
		if is.Current() == nil {
			continue // somebody else stored a credential meanwhile
		}
		for _, g := range was.Current().Groups {
			if !slices.Contains(is.Current().Groups, g) {
				s.fail("%s is protected, and the certificate lost group %s", name, g)
			}
		}
	}
}

func (s *scenario) accountable(name string, inv *inventory.Inventory, o reconcile.Observed) bool {
	_, recorded := o.Ledger[name]
	_, stored := o.Credentials[name]
	return recorded || stored || slices.ContainsFunc(inv.Users, func(u inventory.User) bool { return u.Name == name })
}

// explained reports whether certsync may have given a grant to a user, by the index. Without one, nobody knows.
func (n snapshot) explained(g reconcile.Grant, user string) bool {
	return n.state == nil || n.state.Grants.Has(g, user) || g.Namespace == ""
}

// raised reports whether a name is in a later epoch than before: what its older certificates lose is meant.
func (n snapshot) raised(before snapshot, user string) bool {
	return n.epoch(user) > before.epoch(user)
}

func (n snapshot) epoch(user string) int64 {
	if n.state == nil {
		return reconcile.FirstEpoch
	}
	return max(n.state.Names[user].Epoch, reconcile.FirstEpoch)
}

// present reports whether a binding serves a user in the epoch that the index has: an older name gives nothing that is theirs.
func (n snapshot) present(object, user string) bool {
	return n.serves(object, reconcile.Username(user, n.epoch(user)))
}

// serves reports whether a user is a subject of a binding.
func (n snapshot) serves(object, user string) bool {
	return slices.Contains(n.bindings[object].Subjects, reconcile.UserSubject(user))
}

// places lists what a user can do where; given: as far as certsync gave it, in the present epoch.
func (s *scenario) places(n snapshot, user string, given bool) map[place]bool {
	all := map[place]bool{}
	for e, g := range s.entries(n) {
		if e.subject.Name == user && (!given || n.explained(g, user) && n.present(e.object, user)) {
			all[place{g.Namespace, g.RoleKind, g.Role}] = true
		}
	}
	return all
}
