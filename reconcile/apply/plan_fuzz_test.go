package apply_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// FuzzPlan applies an inventory, lets things happen, and applies another one, or the same. Whatever the inventories and
// whatever happens: a plan is a function of its inputs and names nothing that isn't ours; carried out, it leaves nothing
// but what it said is held, exactly the access that the inventory grants, and everything that isn't ours as it was. Then
// players act between the runs and during them, see TestPlayers.
func FuzzPlan(f *testing.F) {
	for _, seed := range []string{"", "\x00\x00\x00\x03\x07\x00\x07\x00\x0f\x03\x07", strings.Repeat("\x01", 80), strings.Repeat("\x07\x03", 60)} {
		f.Add([]byte(seed), []byte(nil))
		f.Add([]byte(seed), []byte(strings.Repeat("\x01\x04\x03\x05", 20)))
	}
	f.Fuzz(func(t *testing.T, events, orders []byte) {
		story(t, events, nil, orders)
		playedStory(t, "the same, with players", &choices{events}, &choices{orders})
	})
}

// TestStoriesWithFlags tells stories with flags that hold, protect, adopt and retry, and with runs that go wrong, from
// seeds that are always the same. make soak tells more of them.
func TestStoriesWithFlags(t *testing.T) {
	seeds := uint64(100)
	if os.Getenv("CERTSYNC_SOAK") != "" {
		seeds = 400
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 7))
			events, flags, orders := make([]byte, r.IntN(200)), make([]byte, r.IntN(90)), make([]byte, r.IntN(200))
			for _, bytes := range [][]byte{events, flags, orders} {
				for i := range bytes {
					bytes[i] = byte(r.Uint32())
				}
			}
			story(t, events, flags, orders)
		})
	}
}

// story is what the bytes make of it: events of what happens, flags of those of each run and of what goes wrong in it, orders of
// what is revoked and restored. Without flags, a run takes away all that it should.
func story(t *testing.T, events, flags, orders []byte) {
	c, f, r := &choices{events}, &choices{flags}, &choices{orders}
	s := newScenario(t)
	s.batches(c)
	text := c.inventory(s.Now)
	s.applies(text)
	s.backUp()
	for range 1 + c.below(2) + f.below(3) {
		for range c.below(4) {
			d := choose(c, drifts...)
			s.tell("%s", d.what)
			d.happens(s.World, c)
		}
		s.Rules.Revoke = nil
		if c.below(4) != 0 {
			text = c.inventory(s.Now)
		}
		text = s.orders(r, f.renamed(text))
		s.asks(f)
		s.falters(f, text)
		s.applies(text)
		if s.Rules.Policy != "" {
			s.tell("the same again, with --policy=sync")
			s.Rules.Policy = ""
			s.applies(text)
		}
	}
}

// isFunction: the same inputs in another order give the same bytes.
func (s *scenario) isFunction(inv *inventory.Inventory, o reconcile.Observed, p reconcile.Plan) {
	s.T.Helper()
	want, err := json.Marshal(p)
	if err != nil {
		s.fail("%v", err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	rules := s.Rules
	defer func() { s.Rules = rules }()
	for range 2 {
		inv, o = shuffled(r, inv), s.observe()
		o.Bindings, o.Requests = shuffle(r, o.Bindings), shuffle(r, o.Requests)
		s.Rules.Protect, s.Rules.Adopt = shuffle(r, rules.Protect), shuffle(r, rules.Adopt)
		s.Rules.Retry, s.Rules.Revoke = shuffle(r, rules.Retry), shuffle(r, rules.Revoke)
		again := s.diff(inv, o)
		if again.InventoryDigest != p.InventoryDigest || again.Digest() != p.Digest() {
			s.fail("shuffled, the digests are others:\n%s", cmp.Diff(reconciletest.Lines(p), reconciletest.Lines(again)))
		}
		if got, _ := json.Marshal(again); string(got) != string(want) {
			s.fail("shuffled, the bytes are others:\n%s", cmp.Diff(string(want), string(got)))
		}
	}
}

func shuffle[T any](r *rand.Rand, in []T) []T {
	out := slices.Clone(in)
	r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// shuffled is an inventory with all of its lists in another order.
func shuffled(r *rand.Rand, inv *inventory.Inventory) *inventory.Inventory {
	out := *inv
	everywhere := func(in map[string][]inventory.Grant) map[string][]inventory.Grant {
		out := map[string][]inventory.Grant{}
		for namespace, grants := range in {
			out[namespace] = shuffle(r, grants)
		}
		return out
	}
	selections := func(in []inventory.Selection) []inventory.Selection {
		out := shuffle(r, in)
		for i, s := range out {
			out[i].Grants = shuffle(r, s.Grants)
		}
		return out
	}
	out.Groups, out.Users = shuffle(r, inv.Groups), shuffle(r, inv.Users)
	for i, g := range out.Groups {
		out.Groups[i].ClusterRoles, out.Groups[i].Namespaces, out.Groups[i].ByLabel = shuffle(r, g.ClusterRoles), everywhere(g.Namespaces), selections(g.ByLabel)
	}
	for i, u := range out.Users {
		out.Users[i].Groups, out.Users[i].Previously = shuffle(r, u.Groups), shuffle(r, u.Previously)
		out.Users[i].ClusterRoles, out.Users[i].Namespaces, out.Users[i].ByLabel = shuffle(r, u.ClusterRoles), everywhere(u.Namespaces), selections(u.ByLabel)
	}
	return &out
}

// isOurs: every step is about a user of this owner, and every object has our name.
func (s *scenario) isOurs(inv *inventory.Inventory, o reconcile.Observed, p reconcile.Plan) {
	s.T.Helper()
	users := map[string]bool{"": true}
	for _, u := range inv.Users {
		users[u.Name] = true
	}
	for name := range o.Ledger {
		users[name] = true
	}
	for name := range o.Credentials {
		users[name] = true
	}
	there := map[string]reconcile.Binding{}
	for _, b := range o.Bindings {
		there[b.Object()] = b
		if g, named := reconcile.ParseBindingName("test", b.Namespace, b.Name); named && g.For == reconcile.ForUser {
			users[g.Subject] = true
		}
	}
	for _, step := range p.Steps {
		if !users[step.User] {
			s.fail("%s is nobody of this owner's: %+v", step.User, step)
		}
		if step.Object() == "" {
			continue
		}
		kind, name, _ := strings.Cut(step.Object(), " ")
		namespace, name, ok := strings.Cut(name, "/")
		if !ok {
			namespace, name = "", namespace
		}
		if _, named := reconcile.ParseBindingName("test", namespace, name); !named || (kind == string(reconcile.RoleBinding)) != (namespace != "") {
			s.fail("%q has not our name", step.Object())
		}
		b, exists := there[step.Object()]
		if exists && !ours(b) && step.Held == "" {
			s.fail("%q is not ours, and no step on it may run: %+v", step.Object(), step)
		}
	}
}

// ours says what makes a binding ours: its name.
func ours(b reconcile.Binding) bool {
	_, named := reconcile.ParseBindingName("test", b.Namespace, b.Name)
	return named
}

// notMine lists the bindings that no run may touch.
func (s *scenario) notMine(o reconcile.Observed) map[string]reconcile.Binding {
	out := map[string]reconcile.Binding{}
	for _, b := range o.Bindings {
		if !ours(b) {
			out[b.Object()] = b
		}
	}
	return out
}

// refuses: apply refuses a plan for which there is a reason to, and writes nothing.
func (s *scenario) refuses(inv *inventory.Inventory, why []string, hold bool) {
	s.T.Helper()
	if len(why) == 0 {
		return
	}
	s.Hold = hold
	defer func() { s.Hold = false }()
	if _, err := s.Apply(inv); !errors.As(err, new(reconcile.Refused)) || len(s.Writes()) > 0 {
		s.fail("refused for %q: %v, writes %q", why, err, s.Writes())
	}
}

// ended: every step ends once, and well. What is held is not tried, and may keep back more of the same users'.
func (s *scenario) ended(inv *inventory.Inventory, p reconcile.Plan, events []reconcile.Event) {
	s.T.Helper()
	back, steps := without(inv, p), slices.Clone(p.Steps)
	for _, e := range events {
		i := slices.IndexFunc(steps, func(step reconcile.Step) bool {
			held := e.Result == reconcile.Held && (step.Held != "" || keeps(back, step)) || e.Result == reconcile.Failed && step.Leave != nil && step.Leave.Foreign
			return step.Action == e.Action && step.User == e.User && step.Group == e.Group && step.Object() == e.Object &&
				(held || e.Result == reconcile.Done && step.Held == "")
		})
		if i < 0 {
			s.fail("%s: %s %s%s %s: %s", e.Result, e.Action, e.User, e.Group, e.Object, e.Error)
		}
		steps = slices.Delete(steps, i, i+1)
	}
	if len(steps) > 0 {
		s.fail("nothing was said of %+v", steps)
	}
}

// keeps reports whether a step is for nobody but those who are held back.
func keeps(back map[string]bool, step reconcile.Step) bool {
	if step.User != "" || step.Detail == nil {
		return back[step.User]
	}
	return !slices.ContainsFunc(slices.Concat(step.Detail.Add, step.Detail.Remove), func(u string) bool { return !back[u] })
}

// leaves: what a run leaves to do is what it held, and what that kept back.
func (s *scenario) leaves(inv *inventory.Inventory, p, left reconcile.Plan) {
	s.T.Helper()
	back, held := without(inv, p), map[string]bool{}
	// A run that takes out somebody's protection begins no epoch for them; the next one does.
	if left.RecordState && !slices.ContainsFunc(p.Steps, func(step reconcile.Step) bool { return step.Reason == reconcile.Unprotected && back[step.User] }) {
		s.fail("the state is not recorded")
	}
	for _, step := range p.Held() {
		held[step.Object()] = step.Object() != ""
	}
	for _, step := range left.Steps {
		if !keeps(back, step) && !held[step.Object()] {
			s.fail("applied, and there is still this to do:\n  %s", strings.Join(reconciletest.Lines(left), "\n  "))
		}
	}
}
