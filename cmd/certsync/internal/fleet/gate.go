package fleet

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/certsync/certsync/inventory"
)

const (
	// gateLimit is how long clusters wait for the removals of others after the last one that was done with its own.
	gateLimit = 10 * time.Minute
	// gateNotice is after how much of that time certsync says what it waits for.
	gateNotice = 30 * time.Second
	// placeLimit is how long a cluster keeps a place from others. Then it goes on without one.
	placeLimit = gateLimit / 2
	// runLimit is how long the run in a cluster takes at most, without the time in which it waits for a place or at the gate. It is that
	// of a job.
	runLimit = time.Hour
)

var errRunLimit = fmt.Errorf("the run in this cluster took longer than %s: find out why the cluster is slow, then run certsync apply again", inventory.DurationText(runLimit))

// Gate keeps the clusters of a run from issuing certificates until all of them are done with their removals, and bounds on how many
// clusters the run works at once. A cluster that waits at the gate gives its place to another, so that the bound cannot keep the gate
// shut. A cluster that is not done in time holds up no other: somebody who has taken it over must not stop the others. So it also loses
// its place in time, and its run ends in time.
type Gate struct {
	places chan struct{}
	tell   func(waitsFor []string, over bool)
	open   chan struct{} // closed: nobody waits any more
	opened func()        // closes it

	mu      sync.Mutex
	names   []string // in the order of the file
	pending map[string]bool
	stays   map[string]*stay
	spent   map[string]time.Duration // of runLimit, in stays that are over
	late    *time.Timer              // from the first arrival on
	over    bool                     // the next time that late fires, the wait is over
}

// stay is the time from when a cluster gets a place until it waits for others, or until its run is over.
type stay struct {
	began  time.Time
	placed bool // it still has the place
	end    func(error)
	limits []*time.Timer
}

// NewGate returns a gate for the clusters of a run, of which at most atOnce have a place. tell is called with the clusters that the
// others wait for: after a while, and when the wait is over because of its limit.
func NewGate(clusters []Target, atOnce int, tell func(waitsFor []string, over bool)) *Gate {
	g := &Gate{places: make(chan struct{}, atOnce), tell: tell, open: make(chan struct{}), pending: map[string]bool{}, stays: map[string]*stay{}, spent: map[string]time.Duration{}}
	g.opened = sync.OnceFunc(func() { close(g.open) })
	for _, t := range clusters {
		g.names, g.pending[t.Name] = append(g.names, t.Name), true
	}
	return g
}

// Rounds is how many clusters the run works on one after the other, if all take the same time. Without a gate it is 1.
func (g *Gate) Rounds() int {
	if g == nil {
		return 1
	}
	return (len(g.names) + cap(g.places) - 1) / cap(g.places)
}

// Enter waits for a place, or until ctx ends. end is called if the run takes too long.
func (g *Gate) Enter(ctx context.Context, name string, end func(error)) {
	select {
	case g.places <- struct{}{}:
	case <-ctx.Done():
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	s := &stay{began: time.Now(), placed: true, end: end}
	s.limits = []*time.Timer{
		time.AfterFunc(placeLimit, func() {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.giveUp(s)
		}),
		time.AfterFunc(runLimit-g.spent[name], func() { end(errRunLimit) }),
	}
	g.stays[name] = s
	if g.pending[name] && g.late != nil { // it could not begin with its removals before
		g.restart()
	}
}

// Wait says that a cluster is done with its removals, and waits for the others.
func (g *Gate) Wait(ctx context.Context, name string) {
	g.arrive(name)
	select {
	case <-g.open:
		return
	default:
	}
	end := g.leavePlace(name)
	select {
	case <-g.open:
		g.Enter(ctx, name, end)
	case <-ctx.Done():
	}
}

// Leave says that the run in a cluster is over, however it ended.
func (g *Gate) Leave(name string) {
	g.arrive(name)
	g.leavePlace(name)
}

// leavePlace ends the stay of a cluster, and returns what ends its run.
func (g *Gate) leavePlace(name string) (end func(error)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.stays[name]
	if s == nil {
		return func(error) {}
	}
	for _, limit := range s.limits {
		limit.Stop()
	}
	g.giveUp(s)
	delete(g.stays, name)
	g.spent[name] += time.Since(s.began)
	return s.end
}

// giveUp gives the place of a cluster to another. The caller holds the lock.
func (g *Gate) giveUp(s *stay) {
	if s.placed {
		s.placed = false
		<-g.places
	}
}

// arrive opens the gate after the last cluster. Each one before it starts the time again.
func (g *Gate) arrive(name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.pending[name] {
		return
	}
	if delete(g.pending, name); len(g.pending) == 0 {
		g.opened()
	}
	g.restart()
}

// restart starts the time anew, unless nobody waits. The caller holds the lock.
func (g *Gate) restart() {
	if g.late != nil {
		g.late.Stop()
	}
	select {
	case <-g.open:
		return
	default:
	}
	g.over = false
	g.expireAfter(gateNotice)
}

// expireAfter starts the timer. One that has fired, and waits for the lock while another takes its place, does nothing. The caller holds
// the lock.
func (g *Gate) expireAfter(d time.Duration) {
	var timer *time.Timer
	timer = time.AfterFunc(d, func() { g.expire(&timer) })
	g.late = timer
}

// expire tells whom the others wait for, and the second time opens the gate.
func (g *Gate) expire(timer **time.Timer) {
	g.mu.Lock()
	if g.late != *timer {
		g.mu.Unlock()
		return
	}
	waitsFor, over := slices.DeleteFunc(slices.Clone(g.names), func(name string) bool { return !g.pending[name] }), g.over
	if len(waitsFor) == 0 {
		g.mu.Unlock()
		return
	}
	if over {
		g.opened()
	} else {
		g.over = true
		g.expireAfter(gateLimit - gateNotice)
	}
	g.mu.Unlock()
	g.tell(waitsFor, over)
}
