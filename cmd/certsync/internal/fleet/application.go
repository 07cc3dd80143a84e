package fleet

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/certsync/certsync/cmd/certsync/internal/exit"
	"github.com/certsync/certsync/cmd/certsync/internal/render"
	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// Run is a run of apply in one of several clusters.
type Run interface {
	// Prepare connects and plans. It ends what it has opened if it fails.
	Prepare(context.Context) error
	// Planned is what Prepare has found.
	Planned() Planned
	// Do carries the plan out, with gate.Wait before the first certificate, and ends what Prepare has opened. It writes nothing if the
	// runs in all clusters were stopped, and returns why.
	Do(ctx context.Context, stopped error) error
	// Settle says how the run ended.
	Settle(context.Context, error) Ending
	// Stop notes for the report that the runs in all clusters were stopped.
	Stop(code int, why error)
}

// Application is apply in several clusters.
type Application struct {
	Gate   *Gate
	AtOnce int
	Expect string // the digest over all clusters, or ""
	Yes    bool   // nobody is asked

	Plans   io.Writer // where the plans are shown
	Palette terminal.Palette
	// Ask asks for consent.
	Ask func(ctx context.Context, question, digest string) error
	// Fail says why the runs in all clusters were stopped, and returns the exit code.
	Fail func(context.Context, error) int
	// Begin says how many steps the plans have that are carried out.
	Begin func(steps int)
	// Interrupted is called once, when the work is interrupted.
	Interrupted func()
}

// Do plans for all clusters and asks once. Then it works on them side by side: the removals of all come before the first certificate of
// any. It returns the exit code.
func (a Application) Do(ctx context.Context, runs []Run) int {
	errs := make([]error, len(runs))
	each(runs, a.AtOnce, func(i int) { errs[i] = runs[i].Prepare(ctx) })
	plans := make([]Planned, len(runs))
	for i, r := range runs {
		plans[i] = r.Planned()
		plans[i].Ready = errs[i] == nil
	}
	for i, twin := range twins(plans) {
		if twin != nil && plans[i].Ready {
			plans[i].Ready, errs[i] = false, runs[i].Do(ctx, twin)
		}
	}
	settled := map[int]Ending{}
	stopped := context.Cause(ctx) // clusters that were not asked have not failed
	if stopped == nil {
		stopped = a.show(plans, errs)
		for i, r := range runs {
			if !plans[i].Ready { // before the question
				settled[i] = r.Settle(ctx, errs[i])
			}
		}
	}
	if stopped == nil {
		stopped = a.agree(ctx, plans)
	}
	if stopped == nil {
		a.Begin(steps(plans))
		stop := context.AfterFunc(ctx, a.Interrupted)
		defer stop()
	}
	a.carryOut(ctx, runs, plans, errs, stopped)
	code := exit.OK
	if stopped != nil {
		code = a.Fail(ctx, stopped)
	}
	for i, r := range runs {
		if _, done := settled[i]; done {
			continue
		}
		if settled[i] = (Ending{Code: code}); stopped != nil {
			r.Stop(code, stopped)
		} else {
			settled[i] = r.Settle(ctx, errs[i])
		}
	}
	if stopped != nil {
		return code
	}
	return exitCode(slices.Collect(maps.Values(settled)))
}

// show prints the plans of all clusters, or why there is none, and the digest over all.
func (a Application) show(plans []Planned, errs []error) error {
	if err := unknownEverywhere(plans); err != nil {
		return err
	}
	var all []terminal.InCluster[reconcile.Plan]
	for i, p := range plans {
		in := terminal.InCluster[reconcile.Plan]{Cluster: p.Name, Owner: p.Owner}
		if in.Value = p.Plan; !p.Made {
			in.Value, in.Problem = reconcile.Plan{}, errs[i].Error()
		}
		all = append(all, in)
	}
	if _, err := a.Plans.Write(render.Plans(all, digestOf(plans), a.Palette)); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	return nil
}

// agree asks for consent, unless the caller has it.
func (a Application) agree(ctx context.Context, plans []Planned) error {
	digest, n := digestOf(plans), writing(plans)
	switch {
	case a.Expect != "" && a.Expect != digest && changes(plans):
		return reconcile.Refused{Violations: []string{fmt.Sprintf("the digest over all clusters is %s, not the expected %s: an inventory, a cluster, "+
			"Vault or the flags are different, or a cluster failed (--expect; with --cluster NAME it takes the digest of one plan)", digest, a.Expect)}}
	case a.Expect != "", a.Yes, n == 0:
		return context.Cause(ctx)
	}
	return a.Ask(ctx, fmt.Sprintf("Apply these plans in %d of %d clusters?", n, len(plans)), digest)
}

// carryOut works on all clusters in which nothing is in the way. The gate bounds on how many at once.
func (a Application) carryOut(ctx context.Context, runs []Run, plans []Planned, errs []error, stopped error) {
	for _, p := range plans {
		if !p.Ready {
			a.Gate.Leave(p.Name)
		}
	}
	each(runs, len(runs), func(i int) {
		if !plans[i].Ready {
			return
		}
		run, end := context.WithCancelCause(ctx)
		defer end(nil)
		a.Gate.Enter(run, plans[i].Name, end)
		defer a.Gate.Leave(plans[i].Name)
		if errs[i] = runs[i].Do(run, stopped); errs[i] != nil && ctx.Err() == nil && run.Err() != nil {
			errs[i] = context.Cause(run)
		}
	})
}

// each calls do for each run, for at most atOnce at a time.
func each(runs []Run, atOnce int, do func(i int)) {
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i := range runs {
		group.Go(func() error {
			do(i)
			return nil
		})
	}
	_ = group.Wait()
}

// Waiting says on w whose removals keep the other clusters from issuing certificates.
func Waiting(w io.Writer) func(clusters []string, over bool) {
	return func(clusters []string, over bool) {
		names := terminal.Clean(strings.Join(clusters, ", "))
		if over {
			fmt.Fprintf(w, "certsync: the removals in %s are not done after %s; the other clusters go on\n", names, inventory.DurationText(gateLimit))
		} else {
			fmt.Fprintf(w, "certsync: waiting for the removals in %s; until then no cluster issues certificates\n", names)
		}
	}
}
