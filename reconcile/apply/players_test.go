package apply_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// player is somebody who is not certsync and may write something: what they write is evidence of nothing.
type player struct {
	who string
	// acts does something. It returns the user whose paths it wrote in Vault, or "": no step of anybody else may be held for it.
	acts func(w *reconciletest.World, c *choices) (user string)
}

// tenantSpace is the namespace of which the tenant is admin.
const tenantSpace = "staging"

var players = []player{
	{"a tenant plants a binding of our form", func(w *reconciletest.World, c *choices) string {
		n := c.below(4)
		g := reconcile.Grant{For: []reconcile.SubjectKind{reconcile.ForGroup, reconcile.ForUser}[n%2], RoleKind: []reconcile.RoleKind{reconcile.ClusterRole, reconcile.NamespaceRole}[n/2], Subject: choose(c, "devs", "alice", "bob", "zoe"), Namespace: tenantSpace, Role: choose(c, rolesToUse...), Part: 1}
		if g.For == reconcile.ForGroup {
			g.Part += c.below(3)
		}
		b := reconcile.NewBinding("test", g, c.some("alice", "bob", "carol", "dave", "zoe", "alice#2", "bob#3", "carol#9"))
		b.RoleRef = choose(c, b.RoleRef, reconcile.RoleRef{Kind: "Role", Name: g.Role}, reconcile.RoleRef{Kind: "ClusterRole", Name: "admin"})
		b.ManagedBy, b.Owner = choose(c, b.ManagedBy, ""), choose(c, b.Owner, "", "test-2")
		if _, taken := w.Bindings[b.Object()]; !taken {
			w.Plant(b)
		}
		return ""
	}},
	{"a tenant changes a binding of ours", func(w *reconciletest.World, c *choices) string {
		inSpace(w, c, func(b *reconcile.Binding) {
			switch c.below(4) {
			case 0:
				b.Subjects = reconcile.UserSubjects(append(c.some("alice", "bob", "carol", "dave"), "zoe"))
			case 1:
				b.Subjects = nil
			case 2:
				b.ManagedBy, b.Owner = "", ""
			case 3:
				b.Terminating = true
			}
		})
		return ""
	}},
	{"a tenant deletes a binding of ours", func(w *reconciletest.World, c *choices) string {
		inSpace(w, c, func(b *reconcile.Binding) { b.Name = "" })
		return ""
	}},
	{"who may write one path of users/ writes there", func(w *reconciletest.World, c *choices) string {
		user := choose(c, "alice", "bob", "carol", "dave", "zoe")
		switch c.below(3) {
		case 0:
			w.Write(w.Users, user, reconciletest.KVVersion{})
		case 1:
			delete(w.Users, user)
		case 2:
			if s := w.Users[user]; s != nil {
				w.MarkCurrent(s, reconciletest.KVVersion{Deleted: true})
			}
		}
		return user
	}},
	{"who may write one path of ledger/ writes there", func(w *reconciletest.World, c *choices) string {
		user := choose(c, "alice", "bob", "carol", "dave", "zoe")
		forged := reconcile.Record{FormatVersion: reconcile.RecordVersion, User: user, State: choose(c, reconcile.Active, reconcile.Removed, reconcile.Removing, reconcile.Denied),
			Reason: choose(c, string(reconcile.UntilPassed), string(reconcile.NotInInventory))}
		switch s := w.Ledger[user]; {
		case c.below(3) == 1: // ParseRecord takes any self-signed certificate with this CN
			forged.Certificates = []reconcile.CertificateEntry{{Status: choose(c, reconcile.Current, reconcile.Superseded), CredentialVersion: 1 + c.below(3), NotAfter: w.Now.AddDate(9, 0, 0), Epoch: choose[int64](c, 1, 2, 3, 9)}}
		case s != nil && s.Versions[s.Current].Record != nil && s.Versions[s.Current].Record.User == user && c.below(2) == 1:
			forged.Certificates = slices.Clone(s.Versions[s.Current].Record.Certificates)
		}
		switch c.below(3) {
		case 0:
			w.Write(w.Ledger, user, reconciletest.KVVersion{Record: &forged})
		case 1:
			delete(w.Ledger, user)
		case 2:
			forged.User = "eve"
			w.Write(w.Ledger, user, reconciletest.KVVersion{Record: &forged})
		}
		return user
	}},
	{"a leaver comes to a binding of ours that they may write", func(w *reconciletest.World, c *choices) string {
		inSpace(w, c, func(b *reconcile.Binding) {
			if who := reconcile.UserSubject(choose(c, "alice", "bob", "carol", "dave", "alice#2", "dave#3")); !slices.Contains(b.Subjects, who) {
				b.Subjects = append(slices.Clone(b.Subjects), who)
			}
		})
		return ""
	}},
}

// inSpace changes a binding of ours in the tenant's namespace; without a name it is deleted.
func inSpace(w *reconciletest.World, c *choices, change func(*reconcile.Binding)) {
	var all []reconcile.Binding
	for _, object := range slices.Sorted(maps.Keys(w.Bindings)) {
		if b := w.Bindings[object]; ours(b) && b.Namespace == tenantSpace {
			all = append(all, b)
		}
	}
	if len(all) == 0 {
		return
	}
	b := choose(c, all...)
	object := b.Object()
	change(&b)
	if b.Name == "" {
		delete(w.Bindings, object)
		return
	}
	b.ResourceVersion = w.Next()
	w.Bindings[object] = b
}

// playedStory is what the bytes make of it: two to four runs, before and during which players act, and one in which nobody does.
// orders are what is revoked and restored.
func playedStory(t testing.TB, name string, c, orders *choices) {
	s := newScenario(t)
	s.tell("%s", name)
	s.limit, s.Rules.MaxRemovals = "", reconcile.Limit{}
	s.batches(c)
	text := c.inventory(s.Now)
	s.plays(text, new(bool))
	s.backUp()
	for range 2 + c.below(3) {
		n := c.below(8)
		s.Now = s.Now.Add(time.Duration(n%2) * time.Hour)
		if n >= 4 {
			s.relabel(spaces[n/2-2])
		}
		if c.below(3) == 0 {
			text = c.inventory(s.Now)
		}
		text = s.orders(orders, text)
		inv := s.parse(text)
		s.Rules.Protect = nil
		if c.below(3) == 1 {
			s.Rules.Protect = c.some(persons...)
			s.onlyKnown(inv, s.observe())
			s.tell("protected: %q", s.Rules.Protect)
		}
		unplayed, had := s.diff(inv, s.observe()), s.snapshot()
		written := map[string]bool{}
		act := func(when string) {
			p := choose(c, players...)
			user := p.acts(s.World, c)
			s.tell("%s, %s %s", when, p.who, user)
			written[user] = user != ""
			s.memory.forged[user] = true
		}
		for range c.below(3) {
			act("between runs")
		}
		if s.whole() { // else nobody knows what players have done
			s.heldForNobodyElse(inv, unplayed, had, written)
		}
		// During a run, at one of its calls.
		played := false
		n = c.below(40)
		if at := 3 + n%20; c.below(2) == 1 {
			s.Fail = func(call string) error {
				if len(s.Calls) == at && call != "lock" {
					act("during the run, at " + call)
					played = true
					if n >= 20 {
						s.relabel(spaces[n%2])
					}
				}
				return nil
			}
		}
		s.plays(text, &played)
	}
	s.Rules.MaxRemovals, s.Rules.Protect = reconciletest.Limit(s.T, "100%"), nil
	s.plays(text, new(bool))
}

// plays is one run, in which somebody acts (played), or nobody.
func (s *scenario) plays(text string, played *bool) {
	s.T.Helper()
	inv := s.parse(text)
	s.tell("at %s, this is applied:\n%s", s.Now, text)
	s.onlyKnown(inv, s.observe())
	if why := s.diff(inv, s.observe()).Forbidden; len(why) > 0 {
		fail := s.Fail
		s.Fail = nil
		s.refuses(inv, why, true)
		s.lift()
		s.Fail = fail
	}
	before, was, theirs, state := s.foreignSecrets(), s.memory.begin(), s.notMine(s.observe()), s.observe().State
	recorded := s.recorded(before)
	s.Hold = true
	o, err := s.Apply(inv)
	s.Hold, s.Fail = false, nil
	anew := s.Rules.NewLedger || s.Rules.AcceptRollback
	s.Rules.Revoke, s.Rules.NewLedger, s.Rules.AcceptRollback = nil, false, false
	s.tell("it ends with %v: %q", err, reconciletest.Results(o))
	// A name that stood in one path of Vault alone, when the first plan was made, is unknown when that path is gone.
	goneMeanwhile := *played && errors.As(err, new(reconcile.UnknownName))
	if err != nil && !goneMeanwhile && !(*played && changedMeanwhile(err)) {
		s.fail("applying: %v", err)
	}
	s.memory.ended(was, inv, o.Plan, err == nil, *played)
	if err == nil && !*played {
		if diff := gocmp.Diff(theirs, s.notMine(s.observe())); diff != "" {
			s.fail("what isn't ours was touched: %s", diff)
		}
		s.foreignStay(before, recorded)
		s.settled(inv, goingOn(inv, o.Plan, func(step reconcile.Step) bool { return goesOn(step, state, anew) }))
	}
}

// changedMeanwhile reports whether apply has refused another plan than the one that was agreed to, and for nothing else.
func changedMeanwhile(err error) bool {
	var refused reconcile.Refused
	return errors.As(err, &refused) && len(refused.Violations) == 1 && strings.Contains(refused.Violations[0], "changed since the plan was shown")
}

// goingOn has the people for whom the next run has more to do, under all of their names. For everybody else one run is enough.
func goingOn(inv *inventory.Inventory, p reconcile.Plan, goesOn func(reconcile.Step) bool) map[string]bool {
	people := map[string]bool{}
	for _, step := range p.Steps {
		if goesOn(step) {
			names := affected(step)
			if step.Detail != nil {
				names = slices.Concat(names, step.Detail.Add, step.Detail.Remove)
			}
			if step.Action == reconcile.Unbind {
				names = slices.Concat(names, reconcile.SubjectNames(step.Binding.Object.Subjects))
			}
			for _, name := range names {
				person, _ := reconcile.Person(name)
				people[person] = true
			}
		}
	}
	for _, u := range inv.Users {
		for _, old := range u.Previously {
			people[u.Name] = people[u.Name] || people[old]
		}
		for _, old := range u.Previously {
			people[old] = people[old] || people[u.Name]
		}
	}
	return people
}

// goesOn reports whether a step has something follow in the next run, though nobody acts. A guard's steps run when they are fewer than
// the limit, and what a protection held when it is taken out. A protected user's removal runs when its replacement is there. A secret
// without a record is held by a run whose state cannot be trusted, or does not have the name; the next one knows whose it is.
func goesOn(step reconcile.Step, state *reconcile.State, anew bool) bool {
	indexed := false
	if state != nil {
		_, indexed = state.Names[step.User]
	}
	switch {
	case step.HeldBy == reconcile.ByGuard, step.Reason == reconcile.Unprotected:
		return true
	case step.HeldBy == reconcile.ByConflict:
		return anew || step.Object() != "" || step.Action == reconcile.Remove && !indexed
	}
	return false
}
