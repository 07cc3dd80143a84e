// Package reporting reports on runs of apply: in a file, by Events in the cluster and to the Pushgateway.
//
// Begin at Options, which are the flags, and at Run, which holds what a report needs: Begin makes it, End records how the run ended, and
// Publish sends Events and metrics. Package report makes their content. Written says what a report that cannot be written does to the
// exit code. stream.go has the lines of apply -o json.
package reporting

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/certsync/certsync/cmd/certsync/internal/exit"
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

// findTimeout is how long certsync looks in Vault, after a run without a plan, for removals that are outstanding.
const findTimeout = 10 * time.Second

// Options name the places where apply reports on its run, besides its output and the Events.
type Options struct {
	Report      reportfile.File `placeholder:"FILE" help:"Write a JSON report of the run to this file, also if the run fails, is refused or is interrupted."`
	Pushgateway pushgateway.URL `placeholder:"URL" help:"Push metrics of the run to this Prometheus Pushgateway, also if the run fails or is refused."`
}

// Wanted reports whether a flag asks for a report.
func (o Options) Wanted() bool { return o.Report != "" || o.Pushgateway != "" }

// Run holds the results of a run of apply that its report needs.
type Run struct {
	report.Account
	Stores *kube.Cluster // gets the Events; nil if no cluster can store them
}

// Begin returns a run that begins now.
func Begin(runID string) *Run {
	return &Run{Account: report.Account{RunID: runID, StartedAt: time.Now()}}
}

// End records how the run ended, with the error that ended it before its steps.
func (r *Run) End(code int, err error) {
	if errors.As(err, new(exit.Status)) {
		err = nil // the events of the steps have the errors
	}
	if code == exit.Interrupted {
		err = report.ErrInterrupted
	}
	r.EndedAt, r.ExitCode, r.Err = time.Now(), code, err
}

// LookForOutstanding notes whose removals the run has not done. If it had no plan, Vault may tell, by what find returns.
func (r *Run) LookForOutstanding(ctx context.Context, find func(context.Context) ([]string, error)) {
	if r.Outstanding = r.Removals(); r.Outstanding != nil || find == nil || ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	if found, err := find(ctx); err == nil {
		r.Outstanding = found
	}
}

// Written is the exit code of a run that would end with code, and whose report was written with err. A report that cannot be written
// is an error, because a program may wait for it.
func Written(code int, err error) int {
	if err != nil && code == exit.OK {
		return exit.Error
	}
	return code
}

// Publish writes Events and pushes metrics at the same time, also after an interruption. A report that fails is no reason for another exit
// code: the run is over, and monitoring notices missing metrics.
func (o Options) Publish(ctx context.Context, r *Run) (failed []error) {
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), publishTimeout,
		fmt.Errorf("reporting on the run took longer than %s", publishTimeout))
	defer cancel()
	var events, push error
	var group sync.WaitGroup
	group.Go(func() { events = r.writeEvents(ctx) })
	group.Go(func() { push = o.Push(ctx, r.Account) })
	group.Wait()
	return slices.DeleteFunc([]error{events, push}, func(err error) bool { return err == nil })
}

// Push pushes the metrics of a run. It pushes nothing if another run holds the lock, which pushes its own.
func (o Options) Push(ctx context.Context, a report.Account) error {
	if errors.As(a.Err, new(reconcile.Locked)) {
		return nil
	}
	return o.Pushgateway.Push(ctx, pushgateway.Login{
		Username: os.Getenv(pushgateway.UsernameVariable), Password: reconcile.NewSecret([]byte(os.Getenv(pushgateway.PasswordVariable))),
	}, a)
}

// writeEvents writes the Events of the run about its Lease.
func (r *Run) writeEvents(ctx context.Context) error {
	if r.Stores == nil {
		return nil
	}
	events := r.KubernetesEvents()
	for i := range events {
		events[i].Message = terminal.Clean(events[i].Message) // kubectl shows it on a terminal
	}
	return r.Stores.Events(r.Owner, r.RunID).Write(ctx, r.EndedAt, events)
}
