package main

import (
	"flag"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
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

// All calls take many minutes, so make test tries one in sampled, and make soak tries all of them.
var (
	everyCall    = flag.Bool("every-call", false, "try faults at every call, not only at a sample")
	scenarioName = flag.String("scenario", "", "try only scenarios whose name matches this regular expression")
)

// sampled is how many calls there are for each one that gets faults in the sample.
const sampled = 96

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
//   - at every moment, nobody has two current certificates;
//   - no epoch falls, not in the state, at the lock, nor of a name, and no number is given twice, also if an earlier state was
//     restored or lost;
//   - nothing is given to a revoked certificate, and in the end none has anything.
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
	kind, _, _ := strings.Cut(rest, " ")
	asks := strings.HasSuffix(kind, "reviews") || strings.HasPrefix(rest, "sys/")
	return !asks && slices.Contains([]string{"POST", "PUT", "PATCH", "DELETE"}, method)
}
