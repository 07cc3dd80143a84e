package apply_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// foreignSecrets lists the versions in users/ that certsync did not write, of people who are not in its ledger or whose record does
// not know them.
func (s *scenario) foreignSecrets() map[string]int {
	foreign := map[string]int{}
	for user, secret := range s.Users {
		v := secret.Versions[secret.Current]
		if v.Credential == nil && !v.Deleted && !v.Destroyed {
			foreign[user] = secret.Current
		}
	}
	return foreign
}

// recorded has those of foreign whose record is there and knows of no version so high. A lower one is a credential that is missing.
func (s *scenario) recorded(foreign map[string]int) map[string]bool {
	all := map[string]bool{}
	for user, version := range foreign {
		if secret := s.Ledger[user]; secret != nil {
			rec := secret.Versions[secret.Current].Record
			lower := rec != nil && rec.Current() != nil && version < rec.Current().CredentialVersion
			all[user] = rec != nil && rec.User == user && !rec.Knows(version) && !lower
		}
	}
	return all
}

// foreignStay: nothing that somebody else has written into users/ is overwritten, deleted or destroyed, unless the record is theirs too,
// or lost.
func (s *scenario) foreignStay(before map[string]int, recorded map[string]bool) {
	s.T.Helper()
	for user, version := range before {
		_, indexed := s.State.Names[user]
		secret := s.Users[user]
		if indexed && !recorded[user] {
			continue // a user without a record is reissued, see ledger-missing
		}
		if secret == nil || secret.Current != version || secret.Versions[version].Destroyed {
			s.fail("the secret of somebody else at users/%s was version %d, and is %+v", user, version, secret)
		}
	}
}

// heldForNobodyElse: players make no guard hold more, and hold no step of a user whose paths they did not write. A user whom they
// put back into a binding may be held there, if certsync once gave that access. A protected user from whose other binding they took
// the same role keeps it by the one that is held, until the run has given it back.
func (s *scenario) heldForNobodyElse(inv *inventory.Inventory, unplayed reconcile.Plan, had snapshot, written map[string]bool) {
	s.T.Helper()
	played, has := s.diff(inv, s.observe()), s.snapshot()
	heldBefore := map[string]bool{}
	for _, step := range unplayed.Held() {
		for _, name := range affected(step) {
			heldBefore[name+" "+step.HeldBy.String()+" "+string(step.Action)] = true
			heldBefore[name+" "+step.Object()] = step.Binding != nil // a binding's step for several people has one reason
		}
	}
	for _, u := range inv.Users {
		for _, old := range u.Previously {
			written[old] = written[old] || written[u.Name] // one person
		}
	}
	for _, step := range played.Held() {
		for _, name := range affected(step) {
			person, _ := reconcile.Person(name)
			putBack := has.serves(step.Object(), name) && !had.serves(step.Object(), name)
			protected := slices.Contains(s.Rules.Protect, person) || s.memory.guarded()[person] ||
				slices.ContainsFunc(inv.Users, func(u inventory.User) bool { return u.Name == person && u.Protected })
			givenBack := protected && addsRole(played, step, name)
			if !putBack && !givenBack && !written[person] && !heldBefore[name+" "+step.HeldBy.String()+" "+string(step.Action)] && !heldBefore[name+" "+step.Object()] {
				s.fail("for what players did, %s of %s %s is held: %s\n  it was:\n  %s\n  it is:\n  %s", step.Action, name, step.Object(), step.Held,
					strings.Join(reconciletest.Lines(unplayed), "\n  "), strings.Join(reconciletest.Lines(played), "\n  "))
			}
		}
	}
	kinds := reconcile.SortedSet(guardTexts(unplayed))
	if slices.ContainsFunc(guardTexts(played), func(why string) bool { return !slices.Contains(kinds, why) }) {
		s.fail("for what players did, the plan is refused: %q, and was for %q", played.Guards, unplayed.Guards)
	}
}

// addsRole reports whether a plan gives a username the role of a step's binding, in the same namespace, by another binding.
func addsRole(p reconcile.Plan, taking reconcile.Step, username string) bool {
	takes, ok := p.Grant(taking)
	user, _ := reconcile.Person(username)
	return ok && slices.ContainsFunc(p.Steps, func(step reconcile.Step) bool {
		adds, ok := p.Grant(step)
		gives := step.Action == reconcile.Bind && step.User == user || step.Detail != nil && slices.Contains(step.Detail.Add, username)
		return ok && step.Object() != taking.Object() && adds.Namespace == takes.Namespace && adds.RoleKind == takes.RoleKind && adds.Role == takes.Role && gives
	})
}

// affected lists the people of a step.
func affected(step reconcile.Step) []string {
	switch {
	case step.Group == "":
		return []string{step.User}
	case step.Detail == nil:
		return nil
	}
	return slices.Concat(step.Detail.Add, step.Detail.Remove)
}

// settled: after one run during which nobody acts, everybody in a binding of ours should be there, or a step says why they
// stay; who should be there is; and nothing is left to do but what is held. More may be left for those in but.
func (s *scenario) settled(inv *inventory.Inventory, but map[string]bool) {
	s.T.Helper()
	p := s.diff(inv, s.observe())
	s.grantsExactlyBut(inv, p, but)
	back := without(inv, p)
	for _, step := range p.Steps {
		if step.Binding != nil && back[step.Binding.Successor] {
			continue // an old name waits for the new one, also if nobody knows whether certsync gave it this
		}
		who := affected(step)
		if len(who) > 0 && !slices.ContainsFunc(who, func(name string) bool { person, _ := reconcile.Person(name); return !but[person] }) {
			continue
		}
		if step.Held == "" && (step.Leave == nil || !step.Leave.Foreign) {
			s.fail("nobody acted during the run, and there is still this to do: %s", fmt.Sprint(reconciletest.Lines(p)))
		}
	}
}
