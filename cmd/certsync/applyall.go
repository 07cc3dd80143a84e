package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/certsync/certsync/cmd/certsync/internal/fleet"
	"github.com/certsync/certsync/cmd/certsync/internal/reporting"
	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/report"
)

// applyAll is apply for several clusters.
func (c applyCmd) applyAll(ctx context.Context, p program, targets []fleet.Target) error {
	if err := c.Report.Check(); err != nil {
		return err
	}
	c.beside = true
	gate := fleet.NewGate(targets, c.ClustersAtOnce, fleet.Waiting(p.stderr))
	progress := c.progress(p)
	var all []*oneOf
	var runs []fleet.Run
	for _, t := range targets {
		one := &oneOf{*c.begin(p.in(t.Name), t, reporting.Begin(newRunID()))}
		one.progress, one.gate, one.shown, one.account.Cluster = progress, gate, true, t.Name
		all, runs = append(all, one), append(runs, one)
	}
	if err := c.onlyForOne(targets); err != nil {
		code := p.fail(ctx, err)
		for _, one := range all {
			one.account.End(code, err)
		}
		return exitStatus(c.reportAll(ctx, p, code, all))
	}
	out := c.shows(p)
	code := fleet.Application{
		Gate: gate, AtOnce: c.ClustersAtOnce, Expect: string(c.Expect), Yes: c.Yes, Plans: out, Palette: paletteFor(out), Begin: progress.Begin, Interrupted: p.ending, Fail: p.fail,
		Ask: func(ctx context.Context, question, digest string) error { return c.ask(ctx, p, question, digest) },
	}.Do(ctx, runs)
	if code == exitInterrupted && slices.ContainsFunc(all, func(one *oneOf) bool { return one.account.Outcome.Failed() > 0 }) {
		p.interrupted()
	}
	return exitStatus(c.reportAll(ctx, p, code, all))
}

// onlyForOne refuses flags that are for one cluster.
func (c applyCmd) onlyForOne(targets []fleet.Target) error {
	switch {
	case c.Context != "":
		return fleet.ErrContext
	case c.Manual():
		return fleet.OnlyOne("--approval=manual", targets)
	case c.MoveToThisCluster: // it would accept any mix-up of contexts
		return fleet.OnlyOne("--move-to-this-cluster", targets)
	}
	return nil
}

// reportAll reports on the runs in all clusters, and returns the exit code.
func (c applyCmd) reportAll(ctx context.Context, p program, code int, all []*oneOf) int {
	total := map[string]int{}
	accounts := make([]report.Account, len(all))
	for i, one := range all {
		accounts[i] = one.account.Account
		for what, n := range one.account.Outcome.Summary() {
			total[what] += n
		}
	}
	events := c.stream(p)
	events.Send(reconcile.LastEvent{Summary: total, ExitCode: code})
	code = reporting.Written(code, events.Err)
	err := c.Report.WriteAll(code, accounts)
	p.complainOf(events.Err, err)
	for _, one := range all {
		one.account.ExitCode = reporting.Written(one.account.ExitCode, err)
	}
	var group sync.WaitGroup
	for _, one := range all {
		group.Go(func() { one.complainOf(c.Publish(ctx, one.account)...) })
	}
	group.Wait()
	return reporting.Written(code, err)
}

// oneOf is a run in one of several clusters.
type oneOf struct{ applying }

// Prepare is that of fleet.Run.
func (a *oneOf) Prepare(ctx context.Context) error {
	err := fleet.Within(ctx, a.prepare)
	if err != nil {
		return a.Do(ctx, err)
	}
	a.closeIdle() // until its turn comes
	return nil
}

// Planned is that of fleet.Run.
func (a *oneOf) Planned() fleet.Planned {
	return fleet.Planned{Name: a.target.Name, Owner: a.target.Owner, Inventory: a.target.Inventory, Plan: a.prepared.Plan, Made: a.prepared.Planned(), Unknown: a.unknown}
}

// Do is that of fleet.Run.
func (a *oneOf) Do(ctx context.Context, stopped error) error {
	defer a.leave()
	return a.do(ctx, stopped)
}

// Settle is that of fleet.Run.
func (a *oneOf) Settle(ctx context.Context, err error) fleet.Ending {
	wrote := err == nil && a.account.Outcome.Plan.HasWork()
	err = a.conclude(ctx, err)
	code := a.fail(ctx, err)
	a.account.End(code, err)
	if cause := a.account.Err; cause != nil && !errors.As(err, new(exitStatus)) { // else conclude has sent the last line
		a.events.Send(reconcile.EndedEarly{Error: cause.Error(), Hint: reconcile.Hint(cause), ExitCode: code})
	}
	if text := fleet.OutstandingText(a.account.Account); text != "" {
		fmt.Fprintf(a.stderr, "%s%s\n", a.speaker(), terminal.Clean(text))
	}
	return fleet.Ending{Code: code, Wrote: wrote}
}

// Stop is that of fleet.Run.
func (a *oneOf) Stop(code int, why error) { a.account.End(code, why) }
