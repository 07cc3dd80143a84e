package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/e2e/fake"
)

// tally counts cases.
type tally struct{ cases, unwritten, unharmed, twice atomic.Int64 }

func (c *tally) print(what string, started time.Time) {
	fmt.Printf("faults, %s: %d cases of %d scenarios in %s: %d ended before the first write, %d did all in spite of the fault, "+
		"the others took a run to be put right, %d of them two\n", what, c.cases.Load(), len(chosen()),
		time.Since(started).Round(time.Second), c.unwritten.Load(), c.unharmed.Load(), c.twice.Load())
}

// prepared is a scenario whose end without a fault is known.
type prepared struct {
	scenario
	lab      *lab
	command  command
	later    command // of the runs after the one that did what once asks for
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
	for _, s := range chosen() {
		all = append(all, prepare(t, l, s, workers))
	}
	return all
}

// chosen are the scenarios that -scenario names, or all.
func chosen() []scenario {
	name := regexp.MustCompile(*scenarioName)
	return slices.DeleteFunc(slices.Clone(scenarios), func(s scenario) bool { return !name.MatchString(s.name) })
}

// prepare brings a world to where a scenario begins, and runs it without a fault.
func prepare(t *testing.T, l *lab, s scenario, workers int) *prepared {
	t.Helper()
	w, past := newFaultWorld(l.signer), newHistory()
	for i, b := range s.before {
		w.Set(b.settings)
		past.begin(w)
		old := w.Clone()
		w.OnWrite(func(target string, now *fake.World) {
			if problems := past.wrote(target, now); problems != nil {
				t.Errorf("%s: apply %d before it: %q", s.name, i+1, problems)
			}
		})
		if r := l.apply(w, command{file: l.inventory(t, b.inventory), args: b.args, workers: 8}); r.exit != exitOK {
			t.Fatalf("%s: apply %d before it: exit %d: %s", s.name, i+1, r.exit, r.output)
		}
		w.OnWrite(nil)
		if b.restored != "" {
			w.Restore(old, b.restored)
		}
	}
	if s.change != nil {
		s.change(w)
	}
	w.Set(s.settings)
	past.begin(w)
	text := strings.ReplaceAll(s.inventory, "$NOW", time.Now().UTC().Format(time.RFC3339Nano))
	p := &prepared{scenario: s, lab: l, start: w, later: command{file: l.inventory(t, text), args: s.args, workers: workers}}
	p.command = p.later
	p.command.args = slices.Concat(s.args, s.once)
	end := w.Clone()
	r := l.apply(end, p.command)
	if r.exit != s.exit || end.Writes() == w.Writes() {
		t.Fatalf("%s: without a fault: exit %d after %d writes: %s", s.name, r.exit, end.Writes()-w.Writes(), r.output)
	}
	p.calls, p.want, p.observer = r.calls, standingOf(end), newObserver(w, end, past, l.own, s.yields)
	slices.SortFunc(p.calls, byName)
	writes := end.Writes()
	p.settled = l.apply(end, p.later).exit == s.exit && end.Writes() == writes
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
	runs := []ran{r}
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
		runs = append(runs, p.putRight(w, o, count)...)
		o.ended(w)
	}
	if len(o.problems) > 0 {
		p.report(t, o, faults, retries, runs)
	}
}

// putRight runs certsync without a fault until the world is as it should be.
func (p *prepared) putRight(w *fake.World, o *observer, count *tally) (runs []ran) {
	w.Advance(lockLife)
	for n := 1; ; n++ {
		c := p.command
		if string(w.Secret(ownFolder+"/state")) != string(p.start.Secret(ownFolder+"/state")) {
			c = p.later
		}
		r := p.lab.apply(w, c)
		runs = append(runs, r)
		diff := p.want.asWell(standingOf(w))
		if r.exit == p.exit && diff == "" {
			if n > 1 {
				count.twice.Add(1)
			}
			return runs
		}
		if n == cleanRuns {
			o.note("run %d without a fault ended with exit %d and left (-want +got): %s", n, r.exit, diff)
			return runs
		}
	}
}

func (p *prepared) report(t *testing.T, o *observer, faults []fake.Fault, retries int, runs []ran) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d workers, %d retries: %v\n", p.name, p.command.workers, retries, faults)
	for _, problem := range o.problems {
		fmt.Fprintf(&b, "  - %s\n", problem)
	}
	for i, r := range runs {
		fmt.Fprintf(&b, "  run %d: exit %d:\n    %s\n", i+1, r.exit, strings.ReplaceAll(strings.TrimSpace(r.output), "\n", "\n    "))
	}
	t.Error(b.String())
}
