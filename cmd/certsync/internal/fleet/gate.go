package fleet

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// GateLimit is how long clusters wait for the removals of others after the last one that was done with its own.
	GateLimit = 10 * time.Minute
	// gateNotice is after how much of that time certsync says what it waits for.
	gateNotice = 30 * time.Second
)

// Gate keeps the clusters of a run from issuing certificates until all of them are done with their removals, and bounds on how many
// clusters the run works at once. A cluster that waits at the gate gives its place to another, so that the bound cannot keep the gate
// shut. A cluster that is not done in time holds up no other: somebody who has taken it over must not stop the others.
type Gate struct {
	places chan struct{}
	tell   func(waitsFor []string, over bool)
	open   chan struct{} // closed: nobody waits any more
	opened func()        // closes it

	mu      sync.Mutex
	names   []string // in the order of the file
	pending map[string]bool
	placed  map[string]bool
	late    *time.Timer // from the first arrival on
	over    bool        // the next time that late fires, the wait is over
}

// NewGate returns a gate for the clusters of a run, of which at most atOnce have a place. tell is called with the clusters that the
// others wait for: after a while, and when the wait is over because of its limit.
func NewGate(clusters []Target, atOnce int, tell func(waitsFor []string, over bool)) *Gate {
	g := &Gate{places: make(chan struct{}, atOnce), tell: tell, open: make(chan struct{}), pending: map[string]bool{}, placed: map[string]bool{}}
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

// Enter waits for a place, or until ctx ends.
func (g *Gate) Enter(ctx context.Context, name string) {
	select {
	case g.places <- struct{}{}:
		g.mu.Lock()
		defer g.mu.Unlock()
		g.placed[name] = true
	case <-ctx.Done():
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
	g.leavePlace(name)
	select {
	case <-g.open:
		g.Enter(ctx, name)
	case <-ctx.Done():
	}
}

// Leave says that the run in a cluster is over, however it ended.
func (g *Gate) Leave(name string) {
	g.arrive(name)
	g.leavePlace(name)
}

func (g *Gate) leavePlace(name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.placed[name] {
		g.placed[name] = false
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
	delete(g.pending, name)
	if g.late != nil {
		g.late.Stop()
	}
	select {
	case <-g.open: // too late, nobody waits
		return
	default:
	}
	if len(g.pending) == 0 {
		g.opened()
		return
	}
	g.over = false
	g.late = time.AfterFunc(gateNotice, g.expire)
}

// expire tells whom the others wait for, and the second time opens the gate.
func (g *Gate) expire() {
	g.mu.Lock()
	waitsFor, over := slices.DeleteFunc(slices.Clone(g.names), func(name string) bool { return !g.pending[name] }), g.over
	if len(waitsFor) == 0 {
		g.mu.Unlock()
		return
	}
	if over {
		g.opened()
	} else {
		g.over = true
		g.late = time.AfterFunc(GateLimit-gateNotice, g.expire)
	}
	g.mu.Unlock()
	g.tell(waitsFor, over)
}
