package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/e2e/fake"
)

const (
	// runsAtOnce is more than the machine has cores: a fault often has a client wait for a second.
	runsAtOnce = 32
	// lockLife is a little longer than others respect the lock of a run that ended without giving it up.
	lockLife = 70 * time.Second
	// cleanRuns is how many runs without a fault may be needed to put right what one fault did.
	cleanRuns = 2
)

// everyCall: all calls take many minutes, so make test tries one in sampled, and make soak tries all of them.
var everyCall = flag.Bool("every-call", false, "try faults at every call, not only at a sample")

// sampled is how many calls there are for each one that gets faults in the sample.
const sampled = 48

// TestFaultAtEveryCall runs each scenario with each kind of fault at each of its calls, then without a fault. Always:
//
//   - the world ends as it does without the fault, after at most two more runs;
//   - a run that says that all is done (exit 0) has done it;
//   - access and credentials that somebody has before and after are there at every moment in between; so is some role
//     while one takes the place of another;
//   - nobody gets a binding before a credential;
//   - what is not certsync's stays as it is, byte for byte;
//   - who left has no binding and no credential that can be read, as soon as the ledger says so;
//   - at every moment, the ledger knows the live certificate of every key that is stored, and every certificate that the
//     signer made for a key that is a user's own;
//   - at every moment, nobody has two current certificates.
//
// A run that wrote nothing is not followed by another, which would be the one without a fault; neither is one that left
// all as that does, since one more was seen to write nothing then.
//
// Calls are told by their names and numbers among those of the same name: what is read at once comes in another order
// every time. Whether a call is made is not left to chance, see TestEveryCallIsMade. One worker writes one thing at a time. Vault's client does not repeat requests, so that one fault is
// enough to lose one; where it would repeat a write, the fault comes again with the repetition.
func TestFaultAtEveryCall(t *testing.T) {
	started := time.Now()
	l := newLab(t, runsAtOnce)
	var count tally
	var group sync.WaitGroup
	for n, p := range prepareAll(t, l, 1) {
		for i, call := range p.calls {
			if !*everyCall && (i+n)%sampled != 0 {
				continue
			}
			for _, kind := range fake.FaultKinds {
				group.Go(func() { p.try(t, &count, 0, fake.Fault{Call: call, Kind: kind}) })
				if repeated(call, kind) {
					group.Go(func() { p.try(t, &count, 2, fake.Fault{Call: call, Kind: kind}) })
				}
			}
		}
	}
	group.Wait()
	count.print("one worker", started)
}

// repeated says of which faults at writes Vault's client, as it is set up by default, repeats the request.
func repeated(c fake.Call, k fake.FaultKind) bool {
	return writing(c) && strings.Contains(c.Name, " secret/") && slices.Contains([]fake.FaultKind{fake.Reset, fake.ServerError}, k)
}

// TestEveryCallIsMade has each call of a run come late, which a run that need not wait for it would end before: no call is
// made in some runs and not in others, so that those above can be expected.
func TestEveryCallIsMade(t *testing.T) {
	l := newLab(t, 8)
	var group sync.WaitGroup
	for n, p := range prepareAll(t, l, 1) {
		for i, call := range p.calls {
			if call.N > 1 || !*everyCall && (i+n)%sampled != 0 {
				continue
			}
			group.Go(func() {
				c := p.command
				c.late = call.Name
				r := l.apply(p.start.Clone(), c)
				slices.SortFunc(r.calls, byName)
				if diff := cmp.Diff(p.calls, r.calls); r.exit != p.exit || diff != "" {
					t.Errorf("%s: with a late %s: exit %d, calls (-want +got): %s\n%s", p.name, call.Name, r.exit, diff, r.output)
				}
			})
		}
	}
	group.Wait()
}

func byName(a, b fake.Call) int { return strings.Compare(a.String(), b.String()) }

// schedules is how many of several faults each a scenario gets with eight workers.
func schedules() int {
	if *everyCall {
		return 40
	}
	return 6
}

// TestFaultsWithEightWorkers does the same with up to three faults in a run, at calls that the seed chooses.
func TestFaultsWithEightWorkers(t *testing.T) {
	started := time.Now()
	l := newLab(t, runsAtOnce)
	var count tally
	var group sync.WaitGroup
	for _, p := range prepareAll(t, l, 8) {
		for seed := range uint64(schedules()) {
			group.Go(func() { p.try(t, &count, 0, p.schedule(seed)...) })
		}
	}
	group.Wait()
	count.print("eight workers", started)
}

// schedule picks faults by a seed, three of four at a write. Calls are sorted, so that a seed always picks the same.
func (p *prepared) schedule(seed uint64) []fake.Fault {
	r := rand.New(rand.NewPCG(seed, 0))
	writes := slices.DeleteFunc(slices.Clone(p.calls), func(c fake.Call) bool { return !writing(c) })
	var faults []fake.Fault
	for range 1 + r.IntN(3) {
		from := writes
		if r.IntN(4) == 0 {
			from = p.calls
		}
		faults = append(faults, fake.Fault{Call: from[r.IntN(len(from))], Kind: fake.FaultKinds[r.IntN(len(fake.FaultKinds))]})
	}
	return faults
}

// writing says which calls change something.
func writing(c fake.Call) bool {
	method, rest, _ := strings.Cut(c.Name, " ")
	asks := strings.HasPrefix(rest, "selfsubject") || strings.HasPrefix(rest, "sys/")
	return !asks && slices.Contains([]string{"POST", "PUT", "PATCH", "DELETE"}, method)
}

// tally counts cases.
type tally struct{ cases, unwritten, unharmed, twice atomic.Int64 }

func (c *tally) print(what string, started time.Time) {
	fmt.Printf("faults, %s: %d cases of %d scenarios in %s: %d ended before the first write, %d did all in spite of the fault, "+
		"the others took a run to be put right, %d of them two\n", what, c.cases.Load(), len(scenarios),
		time.Since(started).Round(time.Second), c.unwritten.Load(), c.unharmed.Load(), c.twice.Load())
}

// prepared is a scenario whose end without a fault is known.
type prepared struct {
	scenario
	lab      *lab
	command  command
	start    *fake.World
	observer *observer
	want     standing
	settled  bool // one more run writes nothing
	calls    []fake.Call
}

// prepareAll prepares all scenarios before a case of one begins, which would outlive a test that gives up on another.
func prepareAll(t *testing.T, l *lab, workers int) []*prepared {
	t.Helper()
	var all []*prepared
	for _, s := range scenarios {
		all = append(all, prepare(t, l, s, workers))
	}
	return all
}

// prepare brings a world to where a scenario begins, and runs it without a fault.
func prepare(t *testing.T, l *lab, s scenario, workers int) *prepared {
	t.Helper()
	w := newFaultWorld(l.signer)
	for i, b := range s.before {
		w.Set(b.settings)
		if r := l.apply(w, command{file: l.inventory(t, b.inventory), args: b.args, workers: 8}); r.exit != exitOK {
			t.Fatalf("%s: apply %d before it: exit %d: %s", s.name, i+1, r.exit, r.output)
		}
	}
	if s.change != nil {
		s.change(w)
	}
	w.Set(s.settings)
	p := &prepared{scenario: s, lab: l, start: w, command: command{file: l.inventory(t, s.inventory), args: s.args, workers: workers}}
	end := w.Clone()
	r := l.apply(end, p.command)
	if r.exit != s.exit || end.Writes() == w.Writes() {
		t.Fatalf("%s: without a fault: exit %d after %d writes: %s", s.name, r.exit, end.Writes()-w.Writes(), r.output)
	}
	p.calls, p.want, p.observer = r.calls, standingOf(end), newObserver(w, end, l.own, s.yields)
	slices.SortFunc(p.calls, byName)
	writes := end.Writes()
	p.settled = l.apply(end, p.command).exit == s.exit && end.Writes() == writes
	return p
}

// try runs the scenario with faults, then without, and reports what should not be.
func (p *prepared) try(t *testing.T, count *tally, retries int, faults ...fake.Fault) {
	count.cases.Add(1)
	o, w := p.observer.fresh(), p.start.Clone()
	w.OnWrite(o.wrote)
	c := p.command
	c.faults, c.retries = faults, retries
	r := p.lab.apply(w, c)
	history := []ran{r}
	if len(faults) == 1 && len(r.met) == 0 {
		o.note("the run never came to that call")
	}
	now := standingOf(w)
	if diff := p.want.asWell(now); r.exit == exitOK && diff != "" {
		o.note("it said that all was done (-want +got): %s", diff)
	}
	switch {
	case w.Writes() == p.start.Writes():
		count.unwritten.Add(1) // the next run would be the one without a fault
	case r.exit == p.exit && p.settled && cmp.Equal(p.want, now):
		count.unharmed.Add(1) // the next run would be the one after that
		o.ended(w)
	default:
		history = append(history, p.putRight(w, o, count)...)
		o.ended(w)
	}
	if len(o.problems) > 0 {
		p.report(t, o, faults, retries, history)
	}
}

// putRight runs certsync without a fault until the world is as it should be.
func (p *prepared) putRight(w *fake.World, o *observer, count *tally) (history []ran) {
	w.Advance(lockLife)
	for n := 1; ; n++ {
		r := p.lab.apply(w, p.command)
		history = append(history, r)
		diff := p.want.asWell(standingOf(w))
		if r.exit == p.exit && diff == "" {
			if n > 1 {
				count.twice.Add(1)
			}
			return history
		}
		if n == cleanRuns {
			o.note("run %d without a fault ended with exit %d and left (-want +got): %s", n, r.exit, diff)
			return history
		}
	}
}

func (p *prepared) report(t *testing.T, o *observer, faults []fake.Fault, retries int, history []ran) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d workers, %d retries: %v\n", p.name, p.command.workers, retries, faults)
	for _, problem := range o.problems {
		fmt.Fprintf(&b, "  - %s\n", problem)
	}
	for i, r := range history {
		fmt.Fprintf(&b, "  run %d: exit %d:\n    %s\n", i+1, r.exit, strings.ReplaceAll(strings.TrimSpace(r.output), "\n", "\n    "))
	}
	t.Error(b.String())
}
