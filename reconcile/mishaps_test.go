package reconcile

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/certsync/certsync/inventory"
)

// mishap is what happens to Vault as a whole.
type mishap struct {
	what    string
	happens func(s *scenario)
}

var mishaps = []mishap{
	{}, {}, {}, {}, {}, {},
	{"the state is lost", func(s *scenario) { s.state, s.stateVersion = nil, 0 }},
	{"Vault is empty", func(s *scenario) {
		s.state, s.stateVersion = nil, 0
		s.ledger, s.users = map[string]*secret{}, map[string]*secret{}
	}},
	{"Vault is restored from a backup", func(s *scenario) { s.backup() }},
	{"the lock says that there was another run", func(s *scenario) { s.generation += 3 }},
}

// backUp makes a backup of Vault.
func (s *scenario) backUp() {
	state, version, ledger, users := s.state, s.stateVersion, copied(s.ledger), copied(s.users)
	s.backup = func() { s.state, s.stateVersion, s.ledger, s.users = state, version, copied(ledger), copied(users) }
}

func copied(secrets map[string]*secret) map[string]*secret {
	out := map[string]*secret{}
	for name, was := range secrets {
		out[name] = &secret{was.current, maps.Clone(was.versions)}
	}
	return out
}

// falters chooses whether a first run with these flags goes wrong. Whatever it leaves behind, it takes nothing that it
// should not, and the run after it is a run like any other.
func (s *scenario) falters(f *choices, text string) {
	s.t.Helper()
	inv := s.parse(text)
	o := s.observe()
	s.onlyKnown(inv, o)
	p := s.diff(inv, o)
	kind := choose(f, "", "", "", "one call", "all calls", "denial", "finalizer")
	if kind == "" || len(p.Forbidden) > 0 {
		return
	}
	s.tell("a first run of what comes next goes wrong: %s; its plan is:\n  %s\n  guards: %q", kind, strings.Join(lines(p), "\n  "), p.guards)
	switch kind {
	case "one call", "all calls":
		s.breaks(f, kind == "all calls")
	case "denial":
		s.denies(f.some(persons...))
	case "finalizer":
		s.finalize(f)
		defer s.letGo()
		o = s.observe()
		p = s.diff(inv, o)
	}
	before, issued := s.snapshot(), len(s.issued)
	s.hold, s.calls = true, nil
	_, err := s.apply(inv)
	s.hold, s.world.fail = false, nil
	s.tell("it ends with %v after %q", err, s.writes())
	s.tookOnly(before, inv, o, p)
	s.accountedSince(issued)
}

// breaks makes one call fail, or all from that one on.
func (s *scenario) breaks(f *choices, all bool) {
	n := 4 + f.below(48) // after it was observed
	err := choose(f, errBoom, ErrPrecondition, ErrNotIssued, ErrNotApproved)
	s.world.fail = func(string) error {
		if i := len(s.calls); i == n || all && i > n {
			return err
		}
		return nil
	}
}

// denies makes somebody deny the requests of some users.
func (s *scenario) denies(users []string) {
	s.world.fail = func(call string) error {
		for _, u := range users {
			if strings.HasPrefix(call, "issue "+u+" ") {
				return Denial{Request: "certsync-x", Reason: "No", Message: "no", At: s.now}
			}
		}
		return nil
	}
}

// finalize deletes some bindings that finalizers keep.
func (s *scenario) finalize(f *choices) {
	for _, object := range slices.Sorted(maps.Keys(s.bindings)) {
		if b := s.bindings[object]; ours(b) && f.below(3) == 1 {
			b.Terminating, b.ResourceVersion = true, s.next()
			s.bindings[object] = b
			s.tell("%s is deleted, and a finalizer keeps it", object)
		}
	}
}

// letGo is the end of all finalizers.
func (s *scenario) letGo() {
	maps.DeleteFunc(s.bindings, func(_ string, b Binding) bool { return b.Terminating })
}

// isWithoutRenewals: whether certificates are due makes no difference to what is reviewed.
func (s *scenario) isWithoutRenewals(inv *inventory.Inventory, o Observed, p Plan) {
	s.t.Helper()
	for _, left := range []int{1, 100000} {
		again := o
		again.Ledger = maps.Clone(o.Ledger)
		for user, e := range o.Ledger {
			if e.Record == nil || e.Record.State != Active {
				continue
			}
			rec := *e.Record
			rec.Certificates = slices.Clone(rec.Certificates)
			for i, c := range rec.Certificates {
				if c.Status == Current && c.NotAfter.After(o.At) {
					rec.Certificates[i].IssuedAt, rec.Certificates[i].NotAfter = o.At.Add(-100000*time.Second), o.At.Add(time.Duration(left)*time.Second)
					if left > 1 {
						rec.Certificates[i].IssuedAt = o.At
					}
				}
			}
			e.Record = &rec
			again.Ledger[user] = e
		}
		if q := s.diff(inv, again); q.Digest() != p.Digest() {
			s.fail("with certificates that end in %ds the digest is another:\n  %s", left, strings.Join(lines(q), "\n  "))
		}
	}
}
