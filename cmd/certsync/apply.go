package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/certsync/certsync/cmd/certsync/internal/render"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/apply"
	"github.com/certsync/certsync/reconcile/kube/csr"
)

type applyCmd struct {
	inventoryFlags
	serverFlags `group:"Cluster and Vault:"`
	ruleFlags   `group:"Guards, and what lifts them:"`
	lockFlags   `group:"Cluster and Vault:"`
	issuerFlags `group:"Certificates:"`
	reportFlags `group:"Telling:"`
	Yes         bool       `short:"y" help:"Do not ask."`
	Expect      planDigest `placeholder:"sha256:…" help:"Apply only the plan with this digest; do not ask."`
	Output      string     `short:"o" enum:"text,json" default:"text" placeholder:"text|json" help:"Text for people, or events as JSON, one a line (default: ${default})."`
	MaxInFlight int        `group:"Certificates:" default:"50" placeholder:"N" help:"How many CertificateSigningRequests may wait at once; kubelets share the signer (default: ${default})."`
	Hold        bool       `help:"Skip the users and bindings that a guard refuses to change, and apply the rest."`
	Revision    string     `group:"Telling:" env:"CERTSYNC_REVISION,GITHUB_SHA,CI_COMMIT_SHA,BUILD_SOURCEVERSION,BITBUCKET_COMMIT,GIT_COMMIT" placeholder:"COMMIT" help:"The commit of the inventory, for the ledger (default: what the CI's environment says)."`
}

// Help is shown below the flags.
func (applyCmd) Help() string {
	return `Shows the plan and asks. Without a terminal, --yes or --expect is needed. A run that was cut off anywhere is finished by the next one.

  certsync apply
  certsync apply --expect "$(certsync plan -o json | jq -r .digest)"

Exit codes: 0 done; 1 an error, or some users failed or were held and the others were done; 3 refused, nothing was written; 4 another run holds the lock, nothing was written; 80 usage; 130 interrupted.`
}

// Validate is called by kong after parsing.
func (c applyCmd) Validate() error {
	if c.MaxInFlight < 1 {
		return errors.New("--max-in-flight: at least 1 is wanted")
	}
	return cmp.Or(c.serverFlags.Validate(), c.issuerFlags.validate())
}

// Run applies the inventory, and reports on the run.
func (c applyCmd) Run(ctx context.Context, p program) error {
	defer outliveReaders()()
	return c.reportOn(ctx, p, c.apply)
}

func (c applyCmd) apply(ctx context.Context, p program, r *runReport) error {
	inv, err := c.load()
	if err != nil {
		return err
	}
	r.account.Owner = inv.Owner
	ca, err := c.readCA()
	if err != nil {
		return err
	}
	cluster, store, err := c.connect(ctx, inv.Owner, c.MaxInFlight)
	r.cluster = cluster // also if only Vault cannot be reached
	if err != nil {
		return err
	}
	defer p.leave(ctx, store)
	self, err := cluster.WhoAmI(ctx)
	if err != nil {
		r.cluster = nil // a cluster that does not answer takes no Events
		return err
	}
	runID := r.account.RunID
	progress := &render.Progress{Out: p.stderr, Terminal: knowsEscapes(p.stderr), Palette: paletteFor(p.stderr), Now: time.Now}
	issuer, stop := c.openIssuer(ca, cluster, csr.Options{
		Owner: inv.Owner, RunID: runID, Identity: self, MaxInFlight: c.MaxInFlight, Announce: askForApproval(progress),
		StopAsking: ctx.Done(), // after an interruption certsync waits for nobody
	}, len(inv.Users))
	defer stop()
	events := c.events(p)
	executor := p.newExecutor(cluster, store, issuer, c.MaxInFlight, runID)
	executor.WithoutCanary, executor.Revision = c.manual(), c.Revision
	executor.Report = func(e reconcile.Event) {
		progress.Step(e)
		events.send(e)
	}
	rules := c.rules(self, c.LockNamespace)
	rules.Expect = string(c.Expect)
	shown := false
	apply := &apply.Apply{
		Cluster: cluster, Store: store, Access: cluster, StoreAccess: store, Executor: executor,
		Rules: rules, Hold: c.Hold, Unseen: c.Yes && c.Expect == "",
		Lock: c.locker(cluster, inv.Owner, self, runID, p.waiting), LockNamespace: c.LockNamespace,
		Consent: func(plan reconcile.Plan) error { shown = true; return c.consent(ctx, p, plan) },
		Begin: func(plan reconcile.Plan) {
			progress.Begin(len(plan.Steps))
			context.AfterFunc(ctx, p.ending)
		},
	}
	outcome, err := apply.Do(ctx, inv)
	r.account.Outcome = outcome
	progress.End()
	if errors.As(err, new(reconcile.Refused)) && !shown {
		err = cmp.Or(c.show(p, outcome.Plan), err) // the plan says what is refused
	}
	if err != nil {
		return err
	}
	return c.report(ctx, p, outcome, events)
}

// ending says what happens after the first signal.
func (p program) ending() {
	fmt.Fprintf(p.stderr, "certsync: interrupted: what is under way has %s to end; interrupt again to leave at once\n", p.lastStep())
}

// waiting says that apply waits for the lock, and which run holds it.
func (p program) waiting(l reconcile.Locked) {
	fmt.Fprintf(p.stderr, "certsync: waiting: %s\n", render.Clean(l.Error()))
}

// outliveReaders ignores SIGPIPE until stop is called: writes fail instead. Otherwise the end of the reader in
// `certsync apply --yes 2>&1 | head` would end the run in the middle of a user.
func outliveReaders() (stop func()) {
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE)
	return func() { signal.Stop(broken) }
}

// events returns the stream of events on stdout, if -o json asks for it.
func (c applyCmd) events(p program) *eventStream {
	if c.Output == "json" {
		return &eventStream{out: p.stdout}
	}
	return &eventStream{}
}

// report prints how the run ended, and returns its exit code as an error.
func (c applyCmd) report(ctx context.Context, p program, o reconcile.Outcome, events *eventStream) error {
	code := exitOK
	switch {
	case o.Failed() > 0 && ctx.Err() != nil:
		code = exitInterrupted
		fmt.Fprintln(p.stderr, "certsync: interrupted; the next apply does what is left")
	case o.Failed() > 0, events.err != nil:
		code = exitError
	}
	if c.Output == "json" {
		events.send(struct {
			Summary  map[string]int `json:"summary"`
			ExitCode int            `json:"exitCode"`
		}{o.Summary(), code})
	} else {
		events.err = writeAll(p.stdout, render.Result(o, paletteFor(p.stdout)))
	}
	if events.err != nil {
		return reconcile.WithHint(events.err, "the run is over all the same; certsync plan shows what is left")
	}
	if code != exitOK {
		return exitStatus(code)
	}
	return nil
}
