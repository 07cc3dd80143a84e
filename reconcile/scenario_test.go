package reconcile

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory"
)

// scenario is a world with neighbours, and the story of what happened to it.
type scenario struct {
	*world
	lines []string
}

func newScenario(t *testing.T) *scenario {
	s := &scenario{world: newWorld(t)}
	s.rules.AllowEmpty, s.rules.MaxRemovals = true, limit(t, "100%")
	for _, b := range []Binding{
		newBinding("test-2", Grant{For: ForUser, Subject: "zoe", Role: "view", Part: 1}, []string{"zoe"}),
		newBinding("test-2", Grant{For: ForGroup, Subject: "devs", Namespace: "staging", Role: "edit", Part: 1}, []string{"alice", "zoe"}),
		{Kind: ClusterRoleBinding, Name: "admins", RoleRef: RoleRef{"ClusterRole", "admin"}, Subjects: strangers},
	} {
		s.plant(b)
	}
	return s
}

func (s *scenario) tell(format string, args ...any) {
	s.lines = append(s.lines, fmt.Sprintf(format, args...))
}

func (s *scenario) fail(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("%s\n\nthe story, until %s:\n%s", fmt.Sprintf(format, args...), s.now.Format(time.RFC3339), strings.Join(s.lines, "\n"))
}

// applies plans and carries out, and looks at everything that must then be so.
func (s *scenario) applies(text string) {
	s.t.Helper()
	s.tell("at %s, this is applied:\n%s", s.now.Format(time.RFC3339), text)
	inv := parse(s.t, text)
	o := s.observe()
	p := s.diff(inv, o)
	s.tell("the plan is:\n  %s", strings.Join(lines(p), "\n  "))
	s.isFunction(inv, o, p)
	s.isOurs(inv, o, p)
	before := s.notOurs(o)
	s.refusesHeld(inv, p)
	s.ended(inv, p, s.carryOut(inv, p))
	after := s.observe()
	if diff := cmp.Diff(before, s.notOurs(after)); diff != "" {
		s.fail("what isn't ours was touched: %s", diff)
	}
	left := s.diff(inv, after)
	s.leaves(inv, p, left)
	s.grantsExactly(inv, p)
	s.storesExactly(inv, p)
}

func (s *scenario) observe() Observed {
	o, err := Observe(context.Background(), "test", s, s, func() time.Time { return s.now })
	if err != nil {
		s.fail("observing: %v", err)
	}
	return o
}

// diff, refusals, reinstate and carryOut are where stories meet flags and guards.

func (s *scenario) diff(inv *inventory.Inventory, o Observed) Plan {
	r := s.rules
	r.Self = "certsync"
	return Diff(inv, o, r)
}

// refusals are why apply refuses a plan.
func refusals(p Plan) []string { return p.Refusals() }

func (s *scenario) reinstate(names []string) { s.rules.Reinstate = names }

// carryOut carries a plan out, but for what is held.
func (s *scenario) carryOut(inv *inventory.Inventory, _ Plan) []Event {
	s.hold = true
	defer func() { s.hold = false }()
	o, err := s.apply(inv)
	if err != nil {
		s.fail("applying: %v", err)
	}
	return o.Events
}
