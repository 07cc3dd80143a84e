package e2e

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/e2e/harness"
)

// mixed is one of everything, from settled to changed: erin is issued, bob's groups and carol's role change, dan leaves.
// alice and zoe have nothing to do with it.
const (
	mixedHead = `
cluster: CLUSTER
groups:
  - {name: devs-OWNER, clusterRoles: [view], namespaces: {NAMESPACE: [edit]}}
  - {name: ops-OWNER, clusterRoles: [edit]}
users:
  - {name: alice@OWNER, groups: [devs-OWNER]}
  - {name: zoe@OWNER, groups: [devs-OWNER]}
`
	mixedBefore = mixedHead + `
  - {name: bob@OWNER, groups: [devs-OWNER]}
  - {name: carol@OWNER, namespaces: {NAMESPACE: [admin]}}
  - {name: dan@OWNER, groups: [devs-OWNER], clusterRoles: [view]}
`
	mixedAfter = mixedHead + `
  - {name: bob@OWNER, groups: [devs-OWNER, ops-OWNER]}
  - {name: carol@OWNER, namespaces: {NAMESPACE: [view]}}
  - {name: erin@OWNER, groups: [devs-OWNER]}
`
)

// harms are all that a case may do to one call. The statuses are the server's own words for it.
var harms = map[string]harness.Fault{
	"killed before":     {Drop: harness.BeforeServer},
	"killed after":      {Drop: harness.AfterServer},
	"refused":           {Drop: harness.BeforeServer},
	"reset after":       {Drop: harness.AfterServer},
	"half an answer":    {Drop: harness.InMidstAnswer},
	"401":               {Status: 401},
	"403":               {Status: 403},
	"409":               {Status: 409},
	"429":               {Status: 429},
	"500":               {Status: 500},
	"504":               {Status: 504},
	"500 again, again…": {Status: 500},
}

// TestFaultAtACall: whatever happens to one call of an apply, be it that certsync is killed before it or after it, ends
// where an undisturbed apply ends, after at most two more. Which call and what happens to it is drawn by a seed.
func TestFaultAtACall(t *testing.T) {
	t.Parallel()
	const namespace = "faults" // one for all, so that calls and bindings are the same in every case
	makeNamespace(t, namespace)
	clean := newFaulty(t, namespace)
	tally := &trap{owner: clean.owner}
	clean.proxy.Intercept(tally.meet)
	if r := clean.certsync("apply", "--yes", "--max-in-flight=1"); r.code != 0 {
		t.Fatalf("without a fault: exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	want := clean.world()

	seed := drawSeed(t)
	cases := drawCases(rand.New(rand.NewPCG(seed, 0)), tally, repeats(10, 150))
	t.Logf("%d of %d calls that an apply makes, times %d faults, drawn by the seed %d (CERTSYNC_SEED)", len(cases), tally.total(), len(harms), seed)
	for i, c := range cases {
		t.Run(fmt.Sprintf("%02d", i), func(t *testing.T) {
			t.Parallel()
			c.run(t, namespace, want)
		})
	}
}

func makeNamespace(t *testing.T, name string) {
	t.Helper()
	if _, _, err := shared.Kubectl(t.Context(), shared.AdminKubeconfig, "create", "namespace", name); err != nil {
		t.Fatal(err)
	}
}

// faultCase is one fault at one call.
type faultCase struct {
	at      string // as key says
	nth     int    // of the calls with that key, from 0
	harm    string
	workers int
}

func (c faultCase) String() string {
	return fmt.Sprintf("%s at call %d of %q, %d at once", c.harm, c.nth, c.at, c.workers)
}

// drawCases draws n cases. Each harm has its turn; three of four go to calls that write.
func drawCases(random *rand.Rand, calls *trap, n int) []faultCase {
	var reads, writes []faultCase
	for _, at := range slices.Sorted(maps.Keys(calls.seen)) {
		for nth := range calls.seen[at] {
			c := faultCase{at: at, nth: nth}
			if calls.writes[at] {
				writes = append(writes, c)
			} else {
				reads = append(reads, c)
			}
		}
	}
	names := slices.Sorted(maps.Keys(harms))
	random.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	cases := make([]faultCase, n)
	for i := range cases {
		from := writes
		if random.IntN(4) == 0 {
			from = reads
		}
		cases[i] = from[random.IntN(len(from))]
		cases[i].harm = names[i%len(names)]
		cases[i].workers = []int{1, 8}[random.IntN(2)]
	}
	return cases
}

// run has an apply meet the fault, and looks at what it and the next ones leave.
func (c faultCase) run(t *testing.T, namespace string, want []string) {
	f := newFaulty(t, namespace)
	defer func() {
		if t.Failed() {
			t.Logf("%s", c)
		}
	}()
	bystanders, dan := f.bystanders(), f.userKubeconfig("dan@"+f.owner)

	cmd := f.command(t.Context(), "apply", "--yes", "--max-in-flight="+strconv.Itoa(c.workers))
	started := make(chan struct{})
	fault, times := harms[c.harm], 1
	if strings.HasPrefix(c.harm, "killed") {
		fault.Do = func() { <-started; _ = cmd.Process.Kill() }
	}
	if strings.HasSuffix(c.harm, "…") {
		times = 8
	}
	trap := &trap{at: c.at, nth: c.nth, times: times, fault: fault, owner: f.owner}
	f.proxy.Intercept(trap.meet)
	began := time.Now()
	finish := f.start(cmd)
	close(started)
	r := finish()
	f.proxy.Intercept(nil)
	if took := time.Since(began); took > 2*time.Minute {
		t.Errorf("it took %s", took)
	}
	killed := fault.Do != nil && trap.sprung
	if ok := r.code == 0 || r.code == 1 || r.code == 3 || killed; !ok || r.code == -1 && !killed {
		t.Errorf("exit %d", r.code)
	}
	if strings.Contains(r.stderr, "panic: ") || r.code > 0 && r.stdout+r.stderr == "" {
		t.Errorf("it ended without saying why, or in a panic")
	}
	if r.code == 0 && f.plan().Changes {
		t.Errorf("it said that all was done; left: %q", f.plan().steps())
	}
	f.standing()

	f.breakLock()
	again := f.certsync("apply", "--yes")
	if again.code != 0 {
		again = f.certsync("apply", "--yes")
	}
	if p := f.plan(); again.code != 0 || p.Changes {
		t.Errorf("two runs later: exit %d, left: %q\n%s%s", again.code, p.steps(), again.stdout, again.stderr)
	}
	if diff := cmp.Diff(want, f.world()); diff != "" {
		t.Errorf("the end is not that of an undisturbed run (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(bystanders, f.bystanders()); diff != "" {
		t.Errorf("what is not to be touched was (-before +after):\n%s", diff)
	}
	f.forbidden(dan, "get", "pods", "-n", namespace)
	f.accounted()
	if t.Failed() {
		t.Logf("the disturbed run: exit %d, fault met: %v\n%s%s", r.code, trap.sprung, r.stdout, r.stderr)
	}
}

// trap does harm to certain calls, and counts all.
type trap struct {
	at         string
	nth, times int
	fault      harness.Fault
	owner      string

	mu     sync.Mutex
	seen   map[string]int
	writes map[string]bool
	sprung bool
}

func (p *trap) meet(c harness.Call) harness.Fault {
	key := callKey(c, p.owner)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen == nil {
		p.seen, p.writes = map[string]int{}, map[string]bool{}
	}
	nth := p.seen[key]
	p.seen[key]++
	p.writes[key] = writing(c)
	if key != p.at || nth < p.nth || nth >= p.nth+p.times {
		return harness.Fault{}
	}
	p.sprung = true
	return p.fault
}

func (p *trap) total() int {
	n := 0
	for _, times := range p.seen {
		n += times
	}
	return n
}

// writing reports a call that changes something.
func writing(c harness.Call) bool {
	question := strings.Contains(c.Path, "reviews") || strings.Contains(c.Path, "capabilities")
	return c.Method != http.MethodGet && c.Method != "LIST" && !question
}

var generated = regexp.MustCompile(`/certsync-[a-z0-9-]+[.][a-z2-7]{26}\b`)

// callKey names calls that are the same in every run, whoever the owner and whatever a request is called.
func callKey(c harness.Call, owner string) string {
	path := generated.ReplaceAllString(c.Path, "/certsync-GENERATED")
	if owner != "" {
		path = strings.ReplaceAll(path, owner, "OWNER")
	}
	method := c.Method
	if c.Watch {
		method += " (watch)"
	}
	return c.Server + " " + method + " " + path
}

// drawSeed is CERTSYNC_SEED, to see a failure again, or by the clock.
func drawSeed(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("CERTSYNC_SEED")
	if text == "" {
		return uint64(time.Now().UnixNano())
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return seed
}

// repeats is how often something is tried: a few times in `make test`, and many times in `make soak`.
func repeats(few, many int) int {
	if os.Getenv("CERTSYNC_SOAK") != "" {
		return many
	}
	return few
}
