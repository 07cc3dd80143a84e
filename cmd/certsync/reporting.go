package main

import (
	"context"
	"time"

	"github.com/certsync/certsync/cmd/certsync/internal/reporting"
	"github.com/certsync/certsync/reconcile/status"
)

// reportOn carries out a run and reports on it, however it ends: in the file, by Events and to the Pushgateway.
func (c applyCmd) reportOn(ctx context.Context, p program, run func(context.Context, program, *reporting.Run) error) error {
	if err := c.Report.Check(); err != nil {
		return err
	}
	r := reporting.Begin(newRunID())
	err := run(ctx, p, r)
	code := p.fail(ctx, err)
	r.End(code, err)
	err = c.Report.Write(r.Account)
	p.complainOf(err)
	r.ExitCode = reporting.Written(code, err)
	p.complainOf(c.Publish(ctx, r)...)
	return exitStatus(r.ExitCode)
}

// complainOf prints errors that do not end a run.
func (p program) complainOf(errs ...error) {
	for _, err := range errs {
		if err != nil {
			p.complain(err)
		}
	}
}

// noteOutstanding notes whose removals the run has not done, if somebody wants to know.
func (a *applying) noteOutstanding(ctx context.Context) {
	if a.store == nil || a.gate == nil && !a.Wanted() {
		a.account.LookForOutstanding(ctx, nil)
		return
	}
	a.account.LookForOutstanding(ctx, func(ctx context.Context) ([]string, error) {
		view, err := a.store.ObserveStore(ctx)
		if err == nil {
			err = view.StateProblem
		}
		return status.Outstanding(a.target.Inventory, view, time.Now()), err
	})
}
