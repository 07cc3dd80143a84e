package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/certsync/certsync/cmd/certsync/internal/pushgateway"
	"github.com/certsync/certsync/cmd/certsync/internal/reportfile"
	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube"
	"github.com/certsync/certsync/reconcile/report"
)

// publishTimeout is how long Events and metrics may take after a run. A terminating pod has little time left after
// reconcile.LastStep.
const publishTimeout = 10 * time.Second

// reportFlags name the places where apply reports on its run, besides its output and the Events.
type reportFlags struct {
	Report      reportfile.File `placeholder:"FILE" help:"Write a JSON report of the run to this file, also if the run fails, is refused or is interrupted."`
	Pushgateway pushgateway.URL `placeholder:"URL" help:"Push metrics of the run to this Prometheus Pushgateway, also if the run fails or is refused."`
}

// runReport holds the results of a run of apply that its report needs.
type runReport struct {
	account report.Account
	cluster *kube.Cluster // gets the Events; nil if no cluster can store them
}

// reportOn carries out a run and reports on it, however it ends: in the file, by Events and to the Pushgateway. A report
// file that cannot be written is an error, because a program may wait for it. Failed Events and metrics are only printed:
// the run is over, and monitoring notices missing metrics.
func (f reportFlags) reportOn(ctx context.Context, p program, run func(context.Context, program, *runReport) error) error {
	if err := f.Report.Check(); err != nil {
		return err
	}
	r := &runReport{account: report.Account{RunID: newRunID(), StartedAt: time.Now()}}
	err := run(ctx, p, r)
	code := p.fail(ctx, err)
	r.end(code, err)
	if err := f.Report.Write(r.account); err != nil {
		p.complain(err)
		if code == exitOK {
			code = exitError
		}
	}
	f.publish(ctx, p, r)
	return exitStatus(code)
}

// end records how the run ended.
func (r *runReport) end(code int, err error) {
	if errors.As(err, new(exitStatus)) {
		err = nil // the events of the steps have the errors
	}
	if code == exitInterrupted {
		err = report.ErrInterrupted
	}
	r.account.EndedAt, r.account.ExitCode, r.account.Err = time.Now(), code, err
}

// publish writes Events and pushes metrics at the same time, also after an interruption.
func (f reportFlags) publish(ctx context.Context, p program, r *runReport) {
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), publishTimeout,
		fmt.Errorf("reporting on the run took longer than %s", publishTimeout))
	defer cancel()
	var events, push error
	var group sync.WaitGroup
	group.Go(func() { events = r.writeEvents(ctx) })
	group.Go(func() { push = f.push(ctx, r.account) })
	group.Wait()
	for _, err := range []error{events, push} {
		if err != nil {
			p.complain(err)
		}
	}
}

// push pushes the metrics of a run. It pushes nothing if another run holds the lock, which pushes its own.
func (f reportFlags) push(ctx context.Context, a report.Account) error {
	if a.ExitCode == exitLocked {
		return nil
	}
	return f.Pushgateway.Push(ctx, pushgateway.Login{
		Username: os.Getenv(pushgateway.UsernameVariable), Password: reconcile.NewSecret([]byte(os.Getenv(pushgateway.PasswordVariable))),
	}, a)
}

// writeEvents writes the Events of the run about its Lease.
func (r *runReport) writeEvents(ctx context.Context) error {
	if r.cluster == nil {
		return nil
	}
	events := r.account.KubernetesEvents()
	for i := range events {
		events[i].Message = terminal.Clean(events[i].Message) // kubectl shows it on a terminal
	}
	return r.cluster.Events(r.account.Owner, r.account.RunID).Write(ctx, r.account.EndedAt, events)
}
