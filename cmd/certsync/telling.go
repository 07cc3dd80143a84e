package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/certsync/certsync/cmd/certsync/internal/render"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube"
)

// tellTimeout is how long it may take to tell of a run that is over: in a pod that is being ended, what comes after
// reconcile.LastStep has little time.
const tellTimeout = 10 * time.Second

// tellFlags say where a run of apply is told of, beside its output and the Events.
type tellFlags struct {
	Report      reportFile `placeholder:"FILE" help:"Write how the run went to this file as JSON, also when it fails, is refused or is interrupted."`
	Pushgateway gatewayURL `placeholder:"URL" help:"Push metrics of the run to this Prometheus Pushgateway, also when it fails or is refused."`
}

// telling is a run of apply, as it will be told of when it is over.
type telling struct {
	account reconcile.Account
	cluster *kube.Cluster // nil: there is none that could be told
}

// telling carries out a run and tells of it, however it ends: in the report, by Events, and to the Pushgateway. A report
// that cannot be written is a failure, since somebody will look for it. An Event or a push that fails is said, and no
// more than that: the run has done what it did, and monitoring sees that nothing comes.
func (f tellFlags) telling(ctx context.Context, p program, run func(context.Context, program, *telling) error) error {
	if err := f.Report.check(); err != nil {
		return err
	}
	t := &telling{account: reconcile.Account{RunID: newRunID(), StartedAt: time.Now()}}
	err := run(ctx, p, t)
	code := p.fail(ctx, err)
	t.over(code, err)
	if err := f.Report.write(t.account); err != nil {
		p.complain(err)
		if code == exitOK {
			code = exitError
		}
	}
	f.spread(ctx, p, t)
	return exitStatus(code)
}

// over closes the account.
func (t *telling) over(code int, err error) {
	if errors.As(err, new(exitStatus)) {
		err = nil // the steps say what it stands for
	}
	if code == exitInterrupted {
		err = reconcile.ErrInterrupted
	}
	t.account.EndedAt, t.account.ExitCode, t.account.Err = time.Now(), code, err
}

// spread tells others, all at once, also after an interruption.
func (f tellFlags) spread(ctx context.Context, p program, t *telling) {
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), tellTimeout,
		fmt.Errorf("telling of the run took longer than %s", tellTimeout))
	defer cancel()
	var events, push error
	var group sync.WaitGroup
	group.Go(func() { events = t.tellCluster(ctx) })
	group.Go(func() { push = f.Pushgateway.push(ctx, t.account) })
	group.Wait()
	for _, err := range []error{events, push} {
		if err != nil {
			p.complain(err)
		}
	}
}

// tellCluster writes Events.
func (t *telling) tellCluster(ctx context.Context) error {
	if t.cluster == nil {
		return nil
	}
	news := t.account.News()
	for i := range news {
		news[i].Message = render.Clean(news[i].Message) // kubectl shows it on terminals
	}
	return t.cluster.Events(t.account.Owner, t.account.RunID).Tell(ctx, t.account.EndedAt, news)
}
