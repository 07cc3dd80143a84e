package fleet

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory"
)

// history is what clusters do one after the other, with the time at which each did it.
type history struct {
	mu      sync.Mutex
	started time.Time
	entries []string
}

func (c *history) add(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries = append(c.entries, fmt.Sprintf("%s ", time.Since(c.started))+fmt.Sprintf(format, args...))
}

// sorted is the history, in which entries of the same time may stand in any order.
func (c *history) sorted() []string {
	slices.Sort(c.entries)
	return c.entries
}

func targets(names ...string) (all []Target) {
	for _, name := range names {
		all = append(all, Target{Member: inventory.Member{Name: name}})
	}
	return all
}

// runs has each cluster take so long for its removals, and then a second to issue.
func runs(ctx context.Context, atOnce int, removals map[string]time.Duration) *history {
	c := &history{started: time.Now()}
	names := slices.Sorted(func(yield func(string) bool) {
		for name := range removals {
			if !yield(name) {
				return
			}
		}
	})
	g := NewGate(targets(names...), atOnce, func(waitsFor []string, over bool) { c.add("waits for %s, over %v", strings.Join(waitsFor, ", "), over) })
	var group sync.WaitGroup
	for _, name := range names {
		group.Go(func() {
			g.Enter(ctx, name, func(error) {})
			defer g.Leave(name)
			time.Sleep(removals[name])
			c.add("%s removed", name)
			g.Wait(ctx, name)
			if ctx.Err() == nil {
				c.add("%s issues", name)
				time.Sleep(time.Second)
			}
		})
	}
	group.Wait()
	return c
}

func TestGate(t *testing.T) {
	for sentence, c := range map[string]struct {
		atOnce   int
		removals map[string]time.Duration
		limit    time.Duration
		want     []string
	}{
		"nobody issues before the last removal": {3, map[string]time.Duration{"dev": 1 * time.Second, "prod": 3 * time.Second, "stage": 2 * time.Second}, time.Hour,
			[]string{"1s dev removed", "2s stage removed", "3s dev issues", "3s prod issues", "3s prod removed", "3s stage issues"}},
		"with one place, a cluster that waits gives its place to another": {1, map[string]time.Duration{"dev": time.Second, "prod": time.Second, "stage": time.Second}, time.Hour,
			nil},
		"a cluster that hangs holds up the others for ten minutes": {3, map[string]time.Duration{"dev": 0, "prod": 20 * time.Minute, "stage": time.Second}, time.Hour,
			[]string{"0s dev removed", "10m1s dev issues", "10m1s stage issues", "10m1s waits for prod, over true", "1s stage removed", "20m0s prod issues", "20m0s prod removed", "31s waits for prod, over false"}},
		"an interruption ends the wait": {3, map[string]time.Duration{"dev": 0, "prod": time.Minute}, 10 * time.Second,
			[]string{"0s dev removed", "1m0s prod removed", "30s waits for prod, over false"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), c.limit)
				defer cancel()
				got := runs(ctx, c.atOnce, c.removals).sorted()
				if c.want == nil {
					after := slices.IndexFunc(got, func(s string) bool { return strings.HasPrefix(s, "3s") && strings.HasSuffix(s, "removed") })
					issued := slices.IndexFunc(got, func(s string) bool { return strings.HasSuffix(s, "issues") })
					if len(got) != 6 || after < 0 || issued < 0 || got[issued] < "3s" {
						t.Errorf("%q", got)
					}
					return
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// TestGateOfOneThatFails: a cluster that ends without a word is waited for no longer.
func TestGateOfOneThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		started := time.Now()
		g := NewGate(targets("dev", "prod"), 1, func([]string, bool) { t.Error("waited too long") })
		go func() {
			g.Enter(t.Context(), "prod", func(error) {})
			time.Sleep(5 * time.Second)
			g.Leave("prod")
			g.Leave("prod")
		}()
		time.Sleep(time.Second)
		g.Enter(t.Context(), "dev", func(error) {})
		g.Wait(t.Context(), "dev")
		g.Leave("dev")
		if g.Rounds() != 2 || (*Gate)(nil).Rounds() != 1 {
			t.Errorf("%d rounds", g.Rounds())
		}
		if since := time.Since(started); since != 5*time.Second || len(g.places) != 0 {
			t.Errorf("%s, %d places are taken", since, len(g.places))
		}
	})
}

// TestGateOfATimerThatIsLate: a timer that fired while another one took its place opens no gate.
func TestGateOfATimerThatIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate(targets("a", "b", "c"), 2, func([]string, bool) {})
		g.arrive("a")
		late := g.late
		g.arrive("b")
		g.expire(&late)
		time.Sleep(gateNotice + time.Second)
		select {
		case <-g.open:
			t.Error("the gate is open")
		default:
		}
		g.arrive("c")
	})
}

// TestRunLimit: the time before a cluster waits at the gate counts for its limit, and the time at the gate does not.
func TestRunLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		started := time.Now()
		g := NewGate(targets("a", "b"), 2, func([]string, bool) {})
		ctx, end := context.WithCancelCause(t.Context())
		defer end(nil)
		go func() {
			time.Sleep(45 * time.Minute)
			g.Leave("b")
		}()
		g.Enter(ctx, "a", end)
		time.Sleep(40 * time.Minute)
		g.Wait(ctx, "a")
		<-ctx.Done()
		g.Leave("a")
		if since := time.Since(started); since != runLimit+5*time.Minute || context.Cause(ctx) != errRunLimit {
			t.Errorf("ended after %s: %v", since, context.Cause(ctx))
		}
	})
}

// TestGateOfOneThatHangs: with one place, a cluster that somebody has taken over keeps it for a time only. The removals of the others
// come before the first certificate of any of them, and the run ends.
func TestGateOfOneThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &history{started: time.Now()}
		g := NewGate(targets("a", "taken", "z"), 1, func(waitsFor []string, over bool) { c.add("waits for %s, over %v", strings.Join(waitsFor, ", "), over) })
		var group sync.WaitGroup
		for i, name := range []string{"a", "taken", "z"} {
			group.Go(func() {
				time.Sleep(time.Duration(i) * time.Second)
				ctx, end := context.WithCancelCause(t.Context())
				defer end(nil)
				g.Enter(ctx, name, end)
				defer g.Leave(name)
				if name == "taken" {
					<-ctx.Done()
					c.add("%v", context.Cause(ctx) == errRunLimit)
					return
				}
				time.Sleep(2 * time.Second)
				c.add("%s removed", name)
				g.Wait(ctx, name)
				c.add("%s issues", name)
			})
		}
		group.Wait()
		want := []string{
			"15m4s a issues", "15m4s waits for taken, over true", "15m4s z issues", "1h0m2s true", "2s a removed",
			"32s waits for taken, z, over false", "5m34s waits for taken, over false", "5m4s z removed",
		}
		if diff := cmp.Diff(want, c.sorted()); diff != "" {
			t.Error(diff)
		}
		if len(g.places) != 0 || len(g.stays) != 0 {
			t.Errorf("%d places are taken", len(g.places))
		}
	})
}
