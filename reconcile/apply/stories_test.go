package apply_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

var (
	stories = flag.Int("stories", 120, "tell so many stories in TestPlayers")
	first   = flag.Int("first", 0, "begin with the story of this `number`: -first 5572 -stories 1 tells one")
)

// maxToldFailures is how many failed stories are printed whole. Of the others, up to maxListedFailures, there is one line each.
const (
	maxToldFailures   = 8
	maxListedFailures = 200
)

// TestPlayers tells stories in which tenants, writers of one path in Vault and leavers act between runs and during them, from
// seeds that are always the same. A story that fails does not stop the others.
func TestPlayers(t *testing.T) {
	const shards = 8
	var all failures
	for shard := range shards {
		t.Run(strconv.Itoa(shard), func(t *testing.T) {
			t.Parallel()
			for seed := *first + shard; seed < *first+*stories; seed += shards {
				if why := tellStory(t, seed); why != "" {
					all.add(t, seed, why)
				}
			}
		})
	}
	t.Cleanup(func() {
		t.Logf("%d stories; failed (see -first): %d", *stories, slices.Sorted(slices.Values(all.seeds)))
	})
}

// seededStory tells the story of a seed.
func seededStory(t testing.TB, seed int) {
	r := rand.New(rand.NewPCG(uint64(seed), 12))
	events, orders := make([]byte, 60+r.IntN(240)), make([]byte, r.IntN(200))
	for _, bytes := range [][]byte{events, orders} {
		for i := range bytes {
			bytes[i] = byte(r.Uint32())
		}
	}
	playedStory(t, fmt.Sprintf("story %d", seed), &choices{events}, &choices{orders})
}

// tellStory returns why a story fails, with the whole story, or "".
func tellStory(t *testing.T, seed int) string {
	told, done := &telling{TB: t}, make(chan struct{})
	go func() { // which a failure ends
		defer close(done)
		seededStory(told, seed)
	}()
	<-done
	return strings.Join(told.failures, "\n")
}

// telling is the test of one story. A failure ends the story and not the test.
type telling struct {
	testing.TB
	mu       sync.Mutex
	failures []string
}

func (t *telling) note(why string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failures = append(t.failures, why)
}

func (t *telling) Errorf(format string, args ...any) { t.note(fmt.Sprintf(format, args...)) }

func (t *telling) Fatalf(format string, args ...any) {
	t.note(fmt.Sprintf(format, args...))
	runtime.Goexit()
}

func (t *telling) Fatal(args ...any) { t.Fatalf("%s", fmt.Sprintln(args...)) }

// failures are the numbers of the stories that have failed.
type failures struct {
	mu    sync.Mutex
	seeds []int
}

func (f *failures) add(t *testing.T, seed int, why string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seeds = append(f.seeds, seed)
	line, _, _ := strings.Cut(why, "\n")
	switch n := len(f.seeds); {
	case n <= maxToldFailures:
		t.Error(why)
	case n <= maxListedFailures:
		t.Errorf("story %d: %s", seed, line)
	default:
		t.Fail()
	}
}
