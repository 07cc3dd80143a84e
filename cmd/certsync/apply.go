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
	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/apply"
	"github.com/certsync/certsync/reconcile/kube"
	"github.com/certsync/certsync/reconcile/kube/csr"
	"github.com/certsync/certsync/reconcile/preflight"
)

type applyCmd struct {
	inventoryFlags
	serverFlags `group:"Cluster and Vault:"`
	ruleFlags   `group:"Guards, and flags that lift them:"`
	lockFlags   `group:"Cluster and Vault:"`
	issuerFlags `group:"Certificates:"`
	reportFlags `group:"Reports:"`
	Yes         bool       `short:"y" help:"Apply without asking."`
	Expect      planDigest `placeholder:"sha256:…" help:"Apply only the plan with this digest, without asking. certsync plan prints the digest."`
	Output      string     `short:"o" enum:"text,json" default:"text" placeholder:"text|json" help:"Output format. json prints one event per line (default: ${default})."`
	MaxInFlight int        `group:"Certificates:" default:"50" placeholder:"N" help:"How many CertificateSigningRequests may wait for the signer at once. Kubelets use the same signer (default: ${default})."`
	removalFlags
	Hold     bool   `help:"Skip the users and bindings that a guard blocks, and apply the rest."`
	Revision string `group:"Reports:" env:"CERTSYNC_REVISION,GITHUB_SHA,CI_COMMIT_SHA,BUILD_SOURCEVERSION,BITBUCKET_COMMIT,GIT_COMMIT" placeholder:"COMMIT" help:"Git commit of the inventory, for the ledger (default: the commit in the CI's environment)."`
}

// Help is shown below the flags.
func (applyCmd) Help() string {
	return `Reads the inventory, shows the plan and asks for your consent. Then it issues certificates, stores them in Vault, and writes and deletes bindings. Without a terminal, set --yes or --expect. If a run stops halfway, the next run does the remaining steps.

It needs to approve CertificateSigningRequests, to bind every role in the inventory, and to write in Vault. Run certsync preflight to check these rights.

  certsync apply
  certsync apply --expect "$(certsync plan -o json | jq -r .digest)"
  certsync apply --removals-only --revoke alice@example.com    # Vault is down

` + exitLine("an error, or some users or bindings failed or were held, and the others are done", exitOK, exitError, exitRefused, exitLocked, exitUsage, exitInterrupted)
}

// Validate is called by kong after parsing.
func (c applyCmd) Validate() error {
	if c.MaxInFlight < 1 {
		return errors.New("--max-in-flight must be at least 1")
	}
	return cmp.Or(c.serverFlags.Validate(), c.issuerFlags.validate(), c.removalFlags.validate(c.ruleFlags))
}

// Run applies the inventory and reports on the run.
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
	if string(c.Expect) == inv.Digest() {
		return refuse("%s is the digest of the inventory; --expect takes the digest of a plan (certsync plan -o json | jq -r .digest)", c.Expect)
	}
	if c.RemovalsOnly {
		return c.remove(ctx, p, r, inv)
	}
	ca, err := c.readCA()
	if err != nil {
		return err
	}
	cluster, store, err := c.connect(ctx, p, inv.Owner, c.MaxInFlight)
	r.cluster = cluster // even if Vault cannot be reached
	if err != nil {
		return err
	}
	defer p.leave(ctx, store)
	if err := preflight.ShortLived(store.TokenLife(), c.runTime(len(inv.Users))); err != nil {
		p.complain(fmt.Errorf("warning: %w", err))
	}
	self, err := cluster.WhoAmI(ctx)
	if err != nil {
		r.cluster = nil // a cluster that does not answer cannot store Events
		return err
	}
	a := c.begin(p, r)
	issuer, stop := c.openIssuer(ca, cluster, csr.Options{
		Owner: inv.Owner, RunID: r.account.RunID, Identity: self, MaxInFlight: c.MaxInFlight, Announce: askForApproval(a.progress),
		StopAsking: ctx.Done(), // after an interruption certsync waits for no approval
	}, len(inv.Users))
	defer stop()
	executor := p.newExecutor(cluster, store, issuer, c.MaxInFlight, r.account.RunID)
	executor.WithoutCanary, executor.Revision, executor.Report = c.manual(), c.Revision, a.step
	run := &apply.Apply{Terms: a.terms(ctx, cluster, inv.Owner, self), Cluster: cluster, Store: store, StoreAccess: store, Executor: executor}
	return a.do(ctx, inv, run.Do)
}

// applying is a run of apply with its output: progress, events and report.
type applying struct {
	applyCmd
	program
	account  *runReport
	progress *render.Progress
	events   *eventStream
	shown    bool // the plan has been shown
}

func (c applyCmd) begin(p program, r *runReport) *applying {
	progress := &render.Progress{Out: p.stderr, Terminal: knowsEscapes(p.stderr), Palette: paletteFor(p.stderr), Now: time.Now}
	return &applying{applyCmd: c, program: p, account: r, progress: progress, events: c.stream(p)}
}

// step prints and streams how a step ended.
func (a *applying) step(e reconcile.Event) {
	a.progress.Step(e)
	a.events.send(e)
}

// terms are the terms that the flags set, for a run by the identity self.
func (a *applying) terms(ctx context.Context, cluster *kube.Cluster, owner string, self reconcile.Identity) apply.Terms {
	rules := a.rules(self, a.LockNamespace)
	rules.Expect = string(a.Expect)
	return apply.Terms{
		Access: cluster, Rules: rules, Hold: a.Hold, Unseen: a.Yes && a.Expect == "",
		Lock: a.locker(cluster, owner, self, a.account.account.RunID, a.waiting), LockNamespace: a.LockNamespace,
		Consent: func(plan reconcile.Plan) error { a.shown = true; return a.consent(ctx, a.program, plan) },
		Begin: func(plan reconcile.Plan) {
			a.progress.Begin(len(plan.Steps))
			context.AfterFunc(ctx, a.ending)
		},
	}
}

// do carries out a run and prints how it ended. It shows a refused plan, because the plan says what is refused.
func (a *applying) do(ctx context.Context, inv *inventory.Inventory, do func(context.Context, *inventory.Inventory) (reconcile.Outcome, error)) error {
	outcome, err := do(ctx, inv)
	a.account.account.Outcome = outcome
	a.progress.End()
	if errors.As(err, new(reconcile.Refused)) && !a.shown {
		err = cmp.Or(a.applyCmd.show(a.program, outcome.Plan), err)
	}
	if err != nil {
		return err
	}
	return a.applyCmd.report(ctx, a.program, outcome, a.events)
}

// ending says how a run ends after the first signal.
func (p program) ending() {
	fmt.Fprintf(p.stderr, "certsync: interrupted; running steps have %s to finish; interrupt again to stop at once\n", p.lastStep())
}

// waiting says that apply waits for the lock, and which run holds it.
func (p program) waiting(l reconcile.Locked) {
	fmt.Fprintf(p.stderr, "certsync: waiting: %s\n", terminal.Clean(l.Error()))
}

// outliveReaders turns SIGPIPE into a write error until stop is called. Otherwise `certsync apply --yes 2>&1 | head` would
// end in the middle of a user.
func outliveReaders() (stop func()) {
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE)
	return func() { signal.Stop(broken) }
}

// stream returns the stream of events on stdout, if -o json asks for it.
func (c applyCmd) stream(p program) *eventStream {
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
		fmt.Fprintln(p.stderr, "certsync: interrupted; the next apply does the remaining steps")
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
		return reconcile.WithHint(events.err, "the run itself is over; run certsync plan to see what is left")
	}
	if code != exitOK {
		return exitStatus(code)
	}
	p.suggest(c.Output, resultOf(o))
	return nil
}
