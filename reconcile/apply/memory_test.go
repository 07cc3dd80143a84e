package apply_test

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// memory is what a story has seen of the epochs of one owner, worked out from what was issued, ordered and written, apart from
// package plan. Nothing that happens to Vault or to the lock takes it back.
type memory struct {
	world *reconciletest.World
	owner string
	fail  func(format string, args ...any)

	given   map[int64]string // who got a number
	forged  map[string]bool  // whose paths somebody has written since the run began; a record there may name any number
	epochs  map[string]int64 // the highest, by name
	counter int64            // the highest in a state
	// revoked and left are names in certificates that must get nothing any more, with the ends of the certificates.
	revoked, left map[string]time.Time
}

func newMemory(w *reconciletest.World, owner string, fail func(string, ...any)) *memory {
	return &memory{world: w, owner: owner, fail: fail, given: map[int64]string{}, forged: map[string]bool{}, epochs: map[string]int64{},
		revoked: map[string]time.Time{}, left: map[string]time.Time{}}
}

// moment is how things are when a run begins.
type moment struct {
	version int
	indexed map[string]int64 // epochs by the state
	epochs  map[string]int64 // as a run knows them
	entries map[entry]bool
	issued  int
	rules   reconcile.Rules
	guarded map[string]bool // protected by the state
}

func (m *memory) begin() moment {
	m.forged = map[string]bool{}
	epochs := m.inState()
	if s := m.world.State; s == nil || m.world.Generation == 0 || s.Generation < m.world.Generation {
		m.learn(epochs)
	}
	return moment{m.world.StateVersion, m.inState(), epochs, m.entries(), len(m.world.Issued), m.world.Rules, m.guarded()}
}

// learn adds the epochs that a run learns from elsewhere, where the state is not the last one. Where the lock tells, a record with a
// number above all that were given is forged.
func (m *memory) learn(epochs map[string]int64) {
	bound, w := map[string]int64{}, m.world
	for e := range m.entries() {
		if name, epoch := reconcile.Person(e.subject.Name); strings.HasPrefix(e.object, string(reconcile.ClusterRoleBinding)) {
			bound[name] = max(bound[name], epoch)
		}
	}
	highest := int64(math.MaxInt64)
	if w.Generation > 0 {
		highest = max(slices.Max(append(slices.Collect(maps.Values(bound)), w.Epochs)), reconcile.FirstEpoch)
		if w.State != nil {
			highest = max(highest, w.State.Epochs)
		}
	}
	for name, secret := range w.Ledger {
		rec := secret.Versions[secret.Current].Record
		if rec == nil || rec.User != name {
			continue
		}
		if _, live := rec.LiveUntil(w.Now); !live {
			continue
		}
		for _, c := range rec.Certificates {
			epochs[name] = max(epochs[name], min(c.Epoch, highest))
		}
	}
	for name, epoch := range bound {
		epochs[name] = max(epochs[name], epoch)
	}
}

// guarded has whom the state calls protected.
func (m *memory) guarded() map[string]bool {
	all := map[string]bool{}
	if m.world.State != nil {
		for name, n := range m.world.State.Names {
			all[name] = n.Protected
		}
	}
	return all
}

// inState is the epoch of each name in the state.
func (m *memory) inState() map[string]int64 {
	epochs := map[string]int64{}
	if m.world.State != nil {
		for name, n := range m.world.State.Names {
			epochs[name] = max(n.Epoch, reconcile.FirstEpoch)
		}
	}
	return epochs
}

// entries lists the Users in the owner's bindings.
func (m *memory) entries() map[entry]bool {
	all := map[entry]bool{}
	for object, b := range m.world.Bindings {
		if _, named := reconcile.ParseBindingName(m.owner, b.Namespace, b.Name); !named {
			continue
		}
		for _, s := range b.Subjects {
			if s == reconcile.UserSubject(s.Name) {
				all[entry{object, s}] = true
			}
		}
	}
	return all
}

// ended looks at what a run has left. No epoch and no counter falls, no number is given twice, and nothing is given to an earlier
// epoch, nor to a certificate that is revoked. clean: nothing went wrong, so that such have nothing. played: somebody else wrote
// meanwhile, and may have given it to them.
func (m *memory) ended(was moment, inv *inventory.Inventory, p reconcile.Plan, clean, played bool) {
	wrote := m.world.StateVersion != was.version
	if wrote {
		m.numbers(was)
		m.orders(was, inv)
	}
	if played {
		return
	}
	if clean && wrote {
		m.leaving(was, inv, p)
	}
	epochs := m.inState()
	for e := range m.entries() {
		name, epoch := reconcile.Person(e.subject.Name)
		stays := clean && was.rules.Policy.Takes()
		if !stays && was.entries[e] {
			continue
		}
		if why := m.void(e.subject.Name); why != "" {
			m.fail("%s is in %s, and %s", e.subject.Name, e.object, why)
		}
		if epoch < epochs[name] {
			m.fail("%s is in %s, and the epoch is %d", e.subject.Name, e.object, epochs[name])
		}
	}
}

// void says why a name in certificates must get nothing, or is "".
func (m *memory) void(username string) string {
	switch {
	case m.revoked[username].After(m.world.Now):
		return "its certificates are revoked"
	case m.left[username].After(m.world.Now):
		return "the person left"
	}
	return ""
}

// numbers looks at the state that a run has written.
func (m *memory) numbers(was moment) {
	s, epochs := m.world.State, m.inState()
	if s.Epochs < m.counter || m.world.Mark.Epochs < m.counter {
		m.fail("the counter was %d, is %d in the state, and %d at the lock", m.counter, s.Epochs, m.world.Mark.Epochs)
	}
	m.counter = s.Epochs
	for name, highest := range m.epochs {
		doubtful := s.LostEpochs > 0 && s.LostUntil.After(m.world.Now) && epochs[name] <= s.LostEpochs // comes back in a new epoch
		if highest > max(epochs[name], reconcile.FirstEpoch) && !doubtful {
			m.fail("the epoch of %s was %d and is %d", name, highest, epochs[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(epochs)) {
		n := epochs[name]
		who, taken := m.given[n]
		if raised := n > reconcile.FirstEpoch && n != was.epochs[name]; raised && taken && !m.forged[name] {
			m.fail("number %d was given to %s, and again to %s", n, who, name)
		}
		if m.epochs[name] = max(m.epochs[name], n); n > reconcile.FirstEpoch {
			m.given[n] = name
		}
		if n > s.Epochs {
			m.fail("%s is in epoch %d, and the counter is %d", name, n, s.Epochs)
		}
	}
}

// orders notes whose certificates a run had to revoke: it has written the state.
func (m *memory) orders(was moment, inv *inventory.Inventory) {
	w := m.world
	for _, u := range inv.Users {
		kept := u.Protected || was.guarded[u.Name] || slices.ContainsFunc(u.Previously, func(old string) bool { return was.guarded[old] })
		kept = kept || slices.Contains(was.rules.Protect, u.Name) || u.Name == cmp.Or(was.rules.Self, "certsync")
		unknown := u.From.After(w.Now) && was.indexed[u.Name] == 0 // who begins later has nothing to revoke
		if !lasts(u.Until, w.Now) || unknown || kept || !was.rules.Policy.Takes() {
			continue
		}
		for _, cert := range w.Issued[:was.issued] {
			username := cert.Subject.CommonName
			name, _ := reconcile.Person(username)
			issued := cert.NotBefore.Add(5 * time.Minute)
			before := !u.RevokedBefore.After(w.Now) && issued.Before(u.RevokedBefore)
			if name == u.Name && (before || slices.Contains(was.rules.Revoke, name)) {
				m.revoked[username] = later(m.revoked[username], cert.NotAfter)
			}
		}
	}
}

// leaving notes the certificates of those who are not in the inventory, and from whom a run took all. Of names that the index had
// lost before, nobody knows.
func (m *memory) leaving(was moment, inv *inventory.Inventory, p reconcile.Plan) {
	stays := map[string]bool{}
	for _, u := range inv.Users {
		stays[u.Name] = true
	}
	for e := range m.entries() {
		name, _ := reconcile.Person(e.subject.Name)
		stays[name] = true
	}
	for _, step := range p.Steps {
		stays[step.User] = stays[step.User] || step.Held != "" && step.HeldBy != reconcile.ByConflict
	}
	for _, cert := range m.world.Issued {
		if name, _ := reconcile.Person(cert.Subject.CommonName); !stays[name] && was.indexed[name] > 0 {
			m.left[cert.Subject.CommonName] = later(m.left[cert.Subject.CommonName], cert.NotAfter)
		}
	}
}

// loses: the state, or the lock that says whether it is the last one, is not what a run left. Then nobody knows who left.
func (m *memory) loses() { clear(m.left) }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
