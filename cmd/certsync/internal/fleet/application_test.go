package fleet

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
)

// fakeRun is a run that notes what was asked of it.
type fakeRun struct {
	name  string
	err   error // of Prepare
	plan  reconcile.Plan
	calls []string
}

func (r *fakeRun) Prepare(context.Context) error { return r.err }
func (r *fakeRun) Planned() Planned {
	plan := r.plan
	plan.Owner, plan.RecordState = r.name, true
	if plan.Steps == nil {
		plan.Steps = make([]reconcile.Step, 3)
	}
	return Planned{Name: r.name, Made: r.err == nil, Plan: plan}
}
func (r *fakeRun) Do(_ context.Context, stopped error) error {
	if stopped == nil {
		r.calls = append(r.calls, "done")
	}
	return stopped
}
func (r *fakeRun) Settle(_ context.Context, err error) Ending {
	r.calls = append(r.calls, "settled")
	if err != nil {
		return Ending{Code: 1}
	}
	return Ending{Wrote: true}
}
func (r *fakeRun) Stop(int, error) { r.calls = append(r.calls, "stopped") }

// TestApplication: a cluster that fails is named before the question, and what stops one of the others stops all of them.
func TestApplication(t *testing.T) {
	for sentence, c := range map[string]struct {
		a     Application
		ended bool
		code  int
		calls string
	}{
		"--yes":                   {Application{Yes: true}, false, 1, "dev: done settled; prod: settled"},
		"the answer is no":        {Application{}, false, 3, "dev: stopped; prod: settled"},
		"another digest":          {Application{Expect: "sha256:00"}, false, 3, "dev: stopped; prod: settled"},
		"an interruption":         {Application{Yes: true}, true, 3, "dev: stopped; prod: stopped"},
		"the digest is the right": {Application{Expect: digestOf([]Planned{(&fakeRun{name: "dev"}).Planned(), {Name: "prod"}})}, false, 1, "dev: done settled; prod: settled"},
	} {
		t.Run(sentence, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if c.ended {
				cancel()
			}
			dev, prod := &fakeRun{name: "dev"}, &fakeRun{name: "prod", err: errors.New("down")}
			var shown strings.Builder
			c.a.Gate, c.a.AtOnce, c.a.Plans = NewGate(targets("dev", "prod"), 1, nil), 1, &shown
			c.a.Ask = func(context.Context, string, string) error { return errors.New("no") }
			c.a.Fail, c.a.Interrupted = func(context.Context, error) int { return 3 }, func() {}
			steps := -1
			c.a.Begin = func(n int) { steps = n }
			code := c.a.Do(ctx, []Run{dev, prod})
			if calls := "dev: " + strings.Join(dev.calls, " ") + "; prod: " + strings.Join(prod.calls, " "); code != c.code || calls != c.calls {
				t.Errorf("exit %d, %s", code, calls)
			}
			if want := map[bool]int{true: 3, false: -1}[slices.Contains(dev.calls, "done")]; steps != want {
				t.Errorf("%d steps, not %d", steps, want)
			}
			if strings.Contains(shown.String(), "Digest: sha256:") == c.ended {
				t.Error(shown.String())
			}
		})
	}
}

// TestWaiting: a long wait names the clusters that it is for.
func TestWaiting(t *testing.T) {
	var b strings.Builder
	for _, over := range []bool{false, true} {
		Waiting(&b)([]string{"dev", "prod\x1b"}, over)
	}
	const want = "certsync: waiting for the removals in dev, prod\\u001b; until then no cluster issues certificates\n" +
		"certsync: the removals in dev, prod\\u001b are not done after 10m; the other clusters go on\n"
	if b.String() != want {
		t.Errorf("%q", b.String())
	}
}

// TestTwins: what is for one cluster is not bound in another one that has its place in the kubeconfig.
func TestTwins(t *testing.T) {
	plan := func(name, uid string, state int) *fakeRun {
		return &fakeRun{name: name, plan: reconcile.Plan{ClusterUID: uid, StateVersion: state}}
	}
	all := []*fakeRun{plan("dev", "1", 0), plan("prod", "1", 7), plan("stage", "2", 0), plan("test", "1", 0)}
	var runs []Run
	for _, r := range all {
		runs = append(runs, r)
	}
	a := Application{Yes: true, Gate: NewGate(targets("dev", "prod", "stage", "test"), 4, nil), AtOnce: 4, Plans: io.Discard, Begin: func(int) {}, Interrupted: func() {}}
	code, calls := a.Do(t.Context(), runs), []string{}
	for _, r := range all {
		calls = append(calls, r.name+": "+strings.Join(r.calls, " "))
	}
	if diff := cmp.Diff([]string{"dev: settled", "prod: done settled", "stage: done settled", "test: settled"}, calls); diff != "" || code != 1 {
		t.Errorf("exit %d: %s", code, diff)
	}
}

// TestWithin: a cluster that answers without an end fails by itself.
func TestWithin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		results := Each(t.Context(), targets("dev", "taken"), 1, func(ctx context.Context, t Target) (string, error) {
			if t.Name == "taken" {
				<-ctx.Done()
				return "", ctx.Err()
			}
			return "read", nil
		})
		if dev, taken := results[0], results[1]; dev.Value != "read" || dev.Err != nil || taken.Name != "taken" || taken.Err != errSlow {
			t.Errorf("%v, %v", dev.Err, taken.Err)
		}
		var after context.Context
		if err := Within(t.Context(), func(ctx context.Context) error { after = ctx; return nil }); err != nil {
			t.Error(err)
		}
		if time.Sleep(2 * answerLimit); after.Err() != nil {
			t.Error("the context has ended, though the answers came in time")
		}
	})
}
