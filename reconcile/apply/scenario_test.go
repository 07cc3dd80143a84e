package apply_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/plan"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// scenario is a world with neighbours, and the story of what happened to it.
type scenario struct {
	*reconciletest.World
	lines []string
	limit string // --max-removals, as it is written; "": the default

	backup func() // puts Vault back to what it was

	memory    *memory
	neighbour *neighbour // nil: the other owner has not acted yet
}

func newScenario(t testing.TB) *scenario {
	s := &scenario{World: reconciletest.NewWorld(t)}
	s.Labels = map[string]map[string]string{}
	for _, name := range spaces {
		s.Labels[name] = map[string]string{"team": name}
	}
	s.Rules.AllowEmpty, s.Rules.MaxRemovals = true, reconciletest.Limit(t, "100%")
	s.limit = "100%"
	for _, b := range []reconcile.Binding{
		reconcile.NewBinding("test-2", reconcile.Grant{For: reconcile.ForUser, Subject: "zoe", Role: "view", Part: 1}, []string{"zoe"}),
		reconcile.NewBinding("test-2", reconcile.Grant{For: reconcile.ForGroup, Subject: "devs", Namespace: "staging", Role: "edit", Part: 1}, []string{"alice", "zoe"}),
		{Kind: reconcile.ClusterRoleBinding, Name: "admins", RoleRef: reconcile.RoleRef{Kind: "ClusterRole", Name: "admin"}, Subjects: strangers},
	} {
		s.Plant(b)
	}
	s.memory = newMemory(s.World, "test", s.fail)
	return s
}

// batches chooses how many users one batch of a revocation has.
func (s *scenario) batches(c *choices) {
	s.Rules.BatchSize = choose(c, 0, 1, 2)
	s.tell("in batches of %d", s.Rules.BatchSize)
}

func (s *scenario) tell(format string, args ...any) {
	s.lines = append(s.lines, fmt.Sprintf(format, args...))
}

func (s *scenario) fail(format string, args ...any) {
	s.T.Helper()
	s.T.Fatalf("%s\n\nthe story, until %s:\n%s", fmt.Sprintf(format, args...), s.Now.Format(time.RFC3339), strings.Join(s.lines, "\n"))
}

// parse reads an inventory. Dave has a key of his own, and another one while he is in no group. His request is for the epoch that
// he is in.
func (s *scenario) parse(text string) *inventory.Inventory {
	s.T.Helper()
	inv := reconciletest.Parse(s.T, text)
	for _, u := range inv.Users {
		if u.Name == "dave" && len(u.Groups) > 0 {
			reconciletest.WithRequest(s.T, inv, "dave", s.subject("dave").Name, "dave's")
		} else if u.Name == "dave" {
			reconciletest.WithRequest(s.T, inv, "dave", s.subject("dave").Name, "dave's other")
		}
	}
	return inv
}

// applies plans and carries out, and looks at everything that must then be so.
func (s *scenario) applies(text string) {
	s.T.Helper()
	s.tell("at %s, this is applied:\n%s", s.Now.Format(time.RFC3339), text)
	inv, whole := s.parse(text), s.whole() || s.State == nil
	o := s.observe()
	s.onlyKnown(inv, o)
	p := s.diff(inv, o)
	if why := p.Forbidden; len(why) > 0 {
		s.refuses(inv, why, true)
		s.lift()
		p, whole = s.diff(inv, o), false
	}
	s.tell("the plan is:\n  %s\n  guards: %q", strings.Join(reconciletest.Lines(p), "\n  "), p.Guards)
	s.isFunction(inv, o, p)
	s.isWithoutRenewals(inv, o, p)
	s.isOurs(inv, o, p)
	s.refuses(inv, p.Refusals(), false)
	left := s.carriesOut(inv, o, p)
	if s.Rules.Policy.Takes() {
		s.leaves(inv, p, left)
		s.grantsExactly(inv, p)
		s.holdsExactly(inv, p)
		s.storesExactly(inv, p)
	}
	// A run that begins a ledger holds secrets of whom it does not know; the next one takes the Vault for its own. Where the state may
	// not be the last one, nobody knows who was given what in RoleBindings; the next run does.
	if whole {
		s.isDone(inv, p, left)
	}
}

// carriesOut does all of a plan but what is held, and returns what the next one would be.
func (s *scenario) carriesOut(inv *inventory.Inventory, o reconcile.Observed, p reconcile.Plan) reconcile.Plan {
	s.T.Helper()
	before, issued, was := s.snapshot(), len(s.Issued), s.memory.begin()
	s.Hold = len(p.Refusals()) > 0
	defer func() { s.Hold = false }()
	outcome, err := s.Apply(inv)
	if err != nil {
		s.fail("applying: %v", err)
	}
	s.memory.ended(was, inv, p, true, false)
	s.Rules.Revoke = nil // it is done
	s.ended(inv, p, outcome.Events)
	s.AccountedSince(issued)
	s.tookOnly(before, inv, o, p)
	theirs := s.notMine(o)
	o = s.observe()
	if diff := gocmp.Diff(theirs, s.notMine(o)); diff != "" {
		s.fail("what isn't ours was touched: %s", diff)
	}
	s.onlyKnown(inv, o)
	return s.diff(inv, o)
}

// isDone: another run with the same flags writes nothing but the state, and holds the same people. When a guard that
// looks at numbers is content now, since there is more or less of what it counts, there are some more runs.
func (s *scenario) isDone(inv *inventory.Inventory, p, left reconcile.Plan) {
	s.T.Helper()
	for range 5 {
		if !left.HasWork() {
			break
		}
		s.tell("another run:\n  %s\n  guards: %q", strings.Join(reconciletest.Lines(left), "\n  "), left.Guards)
		o := s.observe()
		s.onlyKnown(inv, o)
		next := s.carriesOut(inv, o, left)
		same := slices.Equal(guardKinds(p), guardKinds(left))
		// A removal or a rename that waits for something else is tried in every run.
		writes := slices.DeleteFunc(s.Writes(), func(c string) bool { return c == "write state" })
		if same && len(writes) > 0 {
			s.fail("another run does more: %q", writes)
		}
		if p, left = left, next; len(writes) == 0 {
			break
		}
	}
	if slices.Equal(guardKinds(p), guardKinds(left)) && !maps.Equal(heldPeople(p), heldPeople(left)) {
		s.fail("held are %v, and then %v", heldPeople(p), heldPeople(left))
	}
}

// guardTexts is what guards say that refuse a plan, without how much it is.
func guardTexts(p reconcile.Plan) []string {
	texts := slices.Clone(p.Guards)
	for i, text := range texts {
		texts[i] = numbers.ReplaceAllString(text, "")
	}
	return texts
}

var numbers = regexp.MustCompile(`[0-9]+ of [0-9]+`)

// guardKinds is what guards say, those that only hold among them, without how much it is.
func guardKinds(p reconcile.Plan) []string {
	kinds := slices.Clone(p.Guards)
	for _, step := range p.Steps {
		if step.Reason == reconcile.Unprotected { // from the next run on, less is held
			kinds = append(kinds, string(step.Reason))
		}
		if step.HeldBy == reconcile.ByGuard || step.HeldBy == reconcile.ByConflict && step.Object() != "" {
			kinds = append(kinds, step.Held)
		}
	}
	for i, k := range kinds {
		kinds[i] = numbers.ReplaceAllString(k, "")
	}
	return reconcile.SortedSet(kinds)
}

// heldPeople lists whom steps are about that guards and renames hold.
func heldPeople(p reconcile.Plan) map[string]bool {
	people := map[string]bool{}
	for _, step := range p.Steps {
		switch {
		case step.Held == "" || step.HeldBy == reconcile.ByConflict && step.Object() == "" || step.HeldBy == reconcile.ByPolicy:
		case step.Action == reconcile.Unbind:
			for _, name := range reconcile.SubjectNames(step.Binding.Object.Subjects) {
				people[name] = true
			}
		case step.Detail != nil && len(step.Detail.Remove) > 0:
			for _, name := range step.Detail.Remove {
				people[name] = true
			}
		case step.User != "":
			people[step.User] = true
		}
	}
	return people
}

func (s *scenario) observe() reconcile.Observed {
	o, err := reconcile.Observe(context.Background(), "test", s, s, func() time.Time { return s.Now })
	if err != nil {
		s.fail("observing: %v", err)
	}
	return o
}

func (s *scenario) diff(inv *inventory.Inventory, o reconcile.Observed) reconcile.Plan {
	r := s.Rules
	r.Self = cmp.Or(r.Self, "certsync")
	return plan.Diff(inv, o, r)
}
