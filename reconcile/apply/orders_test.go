package apply_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

var (
	defaultsLine = regexp.MustCompile(`(?m)^defaults: \{(revokedBefore: [^,}]+, )?`)
	groupsOf     = regexp.MustCompile(`(groups: \[[^\]]*\])(, revokedBefore: [^,}]+)?`)
)

// revoking chooses whose certificates an inventory revokes from now on.
func (c *choices) revoking(text string, now time.Time) string {
	at := func() string {
		return "revokedBefore: " + now.Add(choose(c, 0, -time.Minute, -2*time.Hour, time.Hour, -30*24*time.Hour)).Format(time.RFC3339)
	}
	if c.below(8) == 1 {
		text = defaultsLine.ReplaceAllLiteralString(text, "defaults: {"+at()+", ")
	}
	return userLine.ReplaceAllStringFunc(text, func(line string) string {
		if c.below(5) != 1 {
			return line
		}
		return groupsOf.ReplaceAllString(line, "$1, "+at())
	})
}

// orders chooses what people do about certificates before a run, and what happens to Vault, to the lock, and to another owner. It
// returns the inventory of the run.
func (s *scenario) orders(c *choices, text string) string {
	s.T.Helper()
	s.Now = s.Now.Add(choose(c, 0, 0, 6*time.Minute, 20*time.Hour, 4*24*time.Hour))
	if c.below(3) == 1 {
		s.neighbourActs(c)
	}
	if c.below(4) == 1 {
		s.Rules.Revoke = c.some(persons...)
	}
	text = c.revoking(text, s.Now)
	s.onlyKnown(s.parse(text), s.observe())
	s.tell("revoked: %q", s.Rules.Revoke)
	switch {
	case s.whole() && c.below(4) == 1:
		s.backUp()
		s.tell("there is a backup")
	case s.whole():
		if m := choose(c, slices.Concat(mishaps, lostLock)...); m.happens != nil {
			s.tell("%s", m.what)
			m.happens(s)
			s.memory.loses()
		}
	}
	return text
}

// whole reports whether the state is there, and the lock says that it is the last one.
func (s *scenario) whole() bool {
	return s.State != nil && !s.Unleased && s.Generation > 0 && s.State.Generation >= s.Generation
}

// lostLock is what happens to the lock.
var lostLock = []mishap{
	{"the Lease is deleted", func(s *scenario) { s.Mark, s.Unleased = reconcile.Mark{}, true }},
	{"the Lease is made anew by hand", func(s *scenario) { s.Mark = reconcile.Mark{} }},
}

// neighbour is another owner of the same cluster, with a Vault folder of its own. Its name begins like ours, and its people are the
// same.
type neighbour struct {
	*reconciletest.World
	memory *memory
	text   string
}

const neighbourName = "test-2"

// neighbourActs has the other owner apply an inventory, and checks that nothing of ours changes.
func (s *scenario) neighbourActs(c *choices) {
	s.T.Helper()
	n := s.neighbour
	if n == nil {
		n = &neighbour{World: reconciletest.NewWorld(s.T)}
		n.Bindings, n.Rules.AllowEmpty, n.Rules.MaxRemovals = s.Bindings, true, reconciletest.Limit(s.T, "100%")
		n.memory, s.neighbour = newMemory(n.World, neighbourName, s.fail), n
	}
	n.Now, n.Spaces, n.Roles = s.Now, s.Spaces, s.Roles
	n.Rules.NewLedger = n.State == nil // bindings of theirs may have been planted
	if n.text == "" || c.below(3) == 1 {
		n.text = strings.ReplaceAll(c.inventory(n.Now), ", protected: true", "") // nothing of this owner is refused
	}
	n.text = c.revoking(n.text, n.Now)
	if n.Rules.Revoke = nil; c.below(3) == 1 {
		n.Rules.Revoke = slices.DeleteFunc(c.some(persons...), func(u string) bool { return n.Ledger[u] == nil })
	}
	inv := reconciletest.Parse(s.T, n.text)
	inv.Owner = neighbourName
	s.tell("the other owner revokes %q, and applies this:\n%s", n.Rules.Revoke, n.text)
	was, others := n.memory.begin(), n.others()
	o, err := n.Apply(inv)
	if err != nil {
		s.fail("the other owner: %v", err)
	}
	n.memory.ended(was, inv, o.Plan, true, false)
	if diff := gocmp.Diff(others, n.others()); diff != "" {
		s.fail("the other owner changed what is not theirs: %s", diff)
	}
}

// others are the bindings that are not the other owner's.
func (n *neighbour) others() map[string]reconcile.Binding {
	all := maps.Clone(n.Bindings)
	maps.DeleteFunc(all, func(_ string, b reconcile.Binding) bool {
		_, theirs := reconcile.ParseBindingName(neighbourName, b.Namespace, b.Name)
		return theirs
	})
	return all
}
