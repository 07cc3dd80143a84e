package main

import (
	"context"
	"errors"
	"time"

	"github.com/certsync/certsync/cmd/certsync/internal/fleet"
	"github.com/certsync/certsync/cmd/certsync/internal/reporting"
)

// stateTimeout is how long certsync looks in Vault, after a run without a plan, for removals that are outstanding.
const stateTimeout = 10 * time.Second

// reportOn carries out a run and reports on it, however it ends: in the file, by Events and to the Pushgateway. A report
// file that cannot be written is an error, because a program may wait for it. Failed Events and metrics are only printed.
func (c applyCmd) reportOn(ctx context.Context, p program, run func(context.Context, program, *reporting.Run) error) error {
	if err := c.Report.Check(); err != nil {
		return err
	}
	r := reporting.Begin(newRunID())
	err := run(ctx, p, r)
	code := p.fail(ctx, err)
	endReport(r, code, err)
	code = p.reported(code, c.Report.Write(r.Account))
	c.publish(ctx, p, r)
	return exitStatus(code)
}

// endReport records how a run ended, with the error that ended it before its steps.
func endReport(r *reporting.Run, code int, err error) {
	if errors.As(err, new(exitStatus)) {
		err = nil // the events of the steps have the errors
	}
	r.End(code, err, code == exitInterrupted)
}

// reported is the exit code of a run whose report was written with this error.
func (p program) reported(code int, err error) int {
	if err == nil {
		return code
	}
	p.complain(err)
	if code == exitOK {
		return exitError
	}
	return code
}

// publish writes Events and pushes metrics.
func (c applyCmd) publish(ctx context.Context, p program, r *reporting.Run) {
	for _, err := range c.Publish(ctx, r) {
		p.complain(err)
	}
}

// lookForOutstanding notes whose removals the run has not done. If the run had no plan, Vault may tell.
func (a *applying) lookForOutstanding(ctx context.Context) {
	a.account.Outstanding = a.account.Removals()
	if a.account.Outstanding != nil || a.store == nil || ctx.Err() != nil || a.gate == nil && !a.Wanted() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, stateTimeout)
	defer cancel()
	if view, err := a.store.ObserveStore(ctx); err == nil && view.StateProblem == nil {
		a.account.Outstanding = fleet.Outstanding(a.target.Inventory, view, time.Now())
	}
}
