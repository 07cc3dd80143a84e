package apply_test

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// mishap is what happens to Vault as a whole.
type mishap struct {
	what    string
	happens func(s *scenario)
}

var mishaps = []mishap{
	{}, {}, {}, {}, {}, {},
	{"the state is lost", func(s *scenario) { s.State, s.StateVersion = nil, 0 }},
	{"Vault is empty", func(s *scenario) {
		s.State, s.StateVersion = nil, 0
		s.Ledger, s.Users = map[string]*reconciletest.Secret{}, map[string]*reconciletest.Secret{}
	}},
	{"Vault is restored from a backup", func(s *scenario) { s.backup() }},
	{"the lock says that there was another run", func(s *scenario) { s.Generation += 3 }},
}

// backUp makes a backup of Vault.
func (s *scenario) backUp() {
	state, version, ledger, users := s.State, s.StateVersion, copied(s.Ledger), copied(s.Users)
	s.backup = func() { s.State, s.StateVersion, s.Ledger, s.Users = state, version, copied(ledger), copied(users) }
}

func copied(secrets map[string]*reconciletest.Secret) map[string]*reconciletest.Secret {
	out := map[string]*reconciletest.Secret{}
	for name, was := range secrets {
		out[name] = &reconciletest.Secret{Current: was.Current, Versions: maps.Clone(was.Versions)}
	}
	return out
}

// falters chooses whether a first run with these flags goes wrong. Whatever it leaves behind, it takes nothing that it
// should not, and the run after it is a run like any other.
func (s *scenario) falters(f *choices, text string) {
	s.T.Helper()
	inv := s.parse(text)
	o := s.observe()
	s.onlyKnown(inv, o)
	p := s.diff(inv, o)
	kind := choose(f, "", "", "", "one call", "all calls", "denial", "finalizer")
	if kind == "" || len(p.Forbidden) > 0 {
		return
	}
	s.tell("a first run of what comes next goes wrong: %s; its plan is:\n  %s\n  guards: %q", kind, strings.Join(reconciletest.Lines(p), "\n  "), p.Guards)
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
	before, issued, was := s.snapshot(), len(s.Issued), s.memory.begin()
	s.Hold, s.Calls = true, nil
	_, err := s.Apply(inv)
	s.Hold, s.World.Fail = false, nil
	s.tell("it ends with %v after %q", err, s.Writes())
	s.tookOnly(before, inv, o, p)
	s.AccountedSince(issued)
	s.memory.ended(was, inv, p, false, false)
}

// breaks makes one call fail, or all from that one on.
func (s *scenario) breaks(f *choices, all bool) {
	n := 4 + f.below(48) // after it was observed
	err := choose(f, reconciletest.ErrBoom, reconcile.ErrPrecondition, reconcile.ErrNotIssued, reconcile.ErrNotApproved)
	s.World.Fail = func(string) error {
		if i := len(s.Calls); i == n || all && i > n {
			return err
		}
		return nil
	}
}

// denies makes somebody deny the requests of some users.
func (s *scenario) denies(users []string) {
	s.World.Fail = func(call string) error {
		for _, u := range users {
			if strings.HasPrefix(call, "issue "+u+" ") {
				return reconcile.Denial{Request: "certsync-x", Reason: "No", Message: "no", At: s.Now}
			}
		}
		return nil
	}
}

// finalize deletes some bindings that finalizers keep.
func (s *scenario) finalize(f *choices) {
	for _, object := range slices.Sorted(maps.Keys(s.Bindings)) {
		if b := s.Bindings[object]; ours(b) && f.below(3) == 1 {
			b.Terminating, b.ResourceVersion = true, s.Next()
			s.Bindings[object] = b
			s.tell("%s is deleted, and a finalizer keeps it", object)
		}
	}
}

// letGo is the end of all finalizers.
func (s *scenario) letGo() {
	maps.DeleteFunc(s.Bindings, func(_ string, b reconcile.Binding) bool { return b.Terminating })
}

// isWithoutRenewals: whether certificates are due makes no difference to what is reviewed.
func (s *scenario) isWithoutRenewals(inv *inventory.Inventory, o reconcile.Observed, p reconcile.Plan) {
	s.T.Helper()
	for _, left := range []int{1, 100000} {
		again := o
		again.Ledger = maps.Clone(o.Ledger)
		for user, e := range o.Ledger {
			if e.Record == nil || e.Record.State != reconcile.Active {
				continue
			}
			rec := *e.Record
			rec.Certificates = slices.Clone(rec.Certificates)
			for i, c := range rec.Certificates {
				if c.Status == reconcile.Current && c.NotAfter.After(o.At) {
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
			s.fail("with certificates that end in %ds the digest is another:\n  %s", left, strings.Join(reconciletest.Lines(q), "\n  "))
		}
	}
}
