package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/certsync/certsync/cmd/certsync/internal/fleet"
	"github.com/certsync/certsync/cmd/certsync/internal/issuing"
	"github.com/certsync/certsync/cmd/certsync/internal/render"
	"github.com/certsync/certsync/cmd/certsync/internal/reporting"
	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/apply"
	"github.com/certsync/certsync/reconcile/kube"
)

type applyCmd struct {
	inventoryFlags
	fleet.Flags       `group:"Cluster and Vault:"`
	serverFlags       `group:"Cluster and Vault:"`
	ruleFlags         `group:"Guards, and flags that lift them:"`
	lockFlags         `group:"Cluster and Vault:"`
	issuerFlags       `group:"Certificates:"`
	reporting.Options `group:"Reports:"`
	Yes               bool       `short:"y" help:"Apply without asking."`
	Expect            planDigest `placeholder:"sha256:…" help:"Apply only the plan with this digest, without asking. certsync plan prints the digest."`
	Output            string     `short:"o" enum:"text,json" default:"text" placeholder:"text|json" help:"Output format. json prints one event per line (default: ${default})."`
	MaxInFlight       int        `group:"Certificates:" default:"50" placeholder:"N" help:"How many CertificateSigningRequests may wait for the signer at once. Kubelets use the same signer (default: ${default})."`
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
  certsync apply --cluster env=prod    # an inventory with several clusters
  certsync apply --removals-only --revoke alice@example.com    # Vault is down

` + exitLine("an error, or some users or bindings failed or were held, and the others are done", exitOK, exitError, exitRefused, exitLocked, exitUsage, exitInterrupted)
}

// Validate is called by kong after parsing.
func (c applyCmd) Validate() error {
	if c.MaxInFlight < 1 {
		return errors.New("--max-in-flight must be at least 1")
	}
	return cmp.Or(c.Flags.Validate(), c.serverFlags.Validate(), c.issuerFlags.Check(), c.removalFlags.validate(c.ruleFlags))
}

// Run applies the inventory and reports on the run.
func (c applyCmd) Run(ctx context.Context, p program) error {
	defer reporting.OutliveReaders()()
	targets, err := c.targets(c.Flags)
	if len(targets) > 1 {
		return c.applyAll(ctx, p, targets)
	}
	return c.reportOn(ctx, p, func(ctx context.Context, p program, r *reporting.Run) error {
		if err != nil {
			return err
		}
		a := c.begin(p, targets[0], r)
		defer func() { a.leave() }()
		return a.conclude(ctx, a.do(ctx, a.prepare(ctx)))
	})
}

// issuerFlags choose the signer of certificates.
type issuerFlags = issuing.Flags

// applying is a run of apply in one cluster, with its output: progress, events and report.
type applying struct {
	applyCmd
	program
	target   fleet.Target
	account  *reporting.Run
	progress *render.Progress
	events   *reporting.Stream
	gate     *fleet.Gate // where it waits for other clusters; nil: there is one cluster
	shown    bool        // the plan has been shown
	// stepsOver ends the message about steps that have time to end; nil: no step began here.
	stepsOver func() bool

	// Found by prepare.
	store     reconcile.StoreReader // nil: Vault was not reached
	leave     func()                // ends what was opened
	closeIdle func()                // closes connections that no request uses now
	prepared  apply.Prepared
	unknown   []reconcile.UnknownName // with several clusters: names that this one does not know
}

func (c applyCmd) begin(p program, t fleet.Target, r *reporting.Run) *applying {
	c.serverFlags = c.at(t)
	r.Owner = t.Inventory.Owner
	return &applying{applyCmd: c, program: p, target: t, account: r, progress: c.progress(p), events: c.stream(p), leave: func() {}, closeIdle: func() {}}
}

func (c applyCmd) progress(p program) *render.Progress {
	return &render.Progress{Out: p.stderr, Terminal: knowsEscapes(p.stderr), Palette: paletteFor(p.stderr), Now: time.Now}
}

// prepare connects to the cluster and to Vault, and plans.
func (a *applying) prepare(ctx context.Context) error {
	inv := a.target.Inventory
	if string(a.Expect) == inv.Digest() {
		return refuse("%s is the digest of the inventory; --expect takes the digest of a plan (certsync plan -o json | jq -r .digest)", a.Expect)
	}
	open := a.open
	if a.RemovalsOnly {
		open = a.openWithoutVault
	}
	run, terms, err := open(ctx)
	if err != nil {
		return err
	}
	makePlan := func() error {
		a.prepared, err = run.Prepare(ctx, inv)
		return err
	}
	if a.gate == nil {
		return makePlan()
	}
	return fleet.Known(&terms.Rules, &a.unknown, makePlan)
}

// step prints and streams how a step ended.
func (a *applying) step(e reconcile.Event) {
	a.progress.StepIn(a.cluster, e)
	a.events.Send(e)
}

// terms are the terms that the flags set, for a run by the identity self.
func (a *applying) terms(ctx context.Context, cluster *kube.Cluster, owner string, self reconcile.Identity) apply.Terms {
	rules := a.rules(self, a.LockNamespace)
	if a.gate == nil { // else it is the digest over all clusters
		rules.Expect = string(a.Expect)
	}
	return apply.Terms{
		Access: cluster, Rules: rules, Hold: a.Hold, Unseen: a.Yes && a.Expect == "",
		Lock: a.locker(cluster, owner, self, a.account.RunID, a.waiting), LockNamespace: a.LockNamespace,
		Consent: func(plan reconcile.Plan) error {
			if a.gate != nil && plan.Digest() == a.prepared.Plan.Digest() {
				return nil // the plans of all clusters were shown, and somebody has agreed to them
			}
			a.shown = true
			return a.consent(ctx, a.program, plan)
		},
		Begin: func(plan reconcile.Plan) {
			steps := len(plan.Steps)
			if a.gate != nil && a.prepared.Plan.HasWork() {
				steps -= len(a.prepared.Plan.Steps) // fleet.Application has counted these
			}
			a.progress.Begin(steps)
			if a.gate == nil {
				a.stepsOver = context.AfterFunc(ctx, a.ending)
			}
		},
	}
}

// do carries out a run, unless err has ended it before.
func (a *applying) do(ctx context.Context, err error) error {
	a.account.Outcome = reconcile.Outcome{Plan: a.prepared.Plan}
	if err == nil {
		a.account.Outcome, err = a.prepared.Do(ctx)
		if a.stepsOver != nil {
			a.stepsOver()
		}
	}
	a.noteOutstanding(ctx)
	return err
}

// conclude prints how a run ended. It shows a refused plan, because the plan says what is refused.
func (a *applying) conclude(ctx context.Context, err error) error {
	outcome := a.account.Outcome
	a.progress.End()
	if errors.As(err, new(reconcile.Refused)) && !a.shown && outcome.Plan.Owner != "" {
		err = cmp.Or(a.applyCmd.show(a.program, outcome.Plan), err)
	}
	if err != nil {
		return err
	}
	return a.report(ctx, outcome)
}

// ending says how a run ends after the first signal.
func (p program) ending() {
	fmt.Fprintf(p.stderr, "certsync: interrupted; running steps have %s to finish; interrupt again to stop at once\n", p.lastStep())
}

// waiting says that apply waits for the lock, and which run holds it.
func (p program) waiting(l reconcile.Locked) {
	fmt.Fprintf(p.stderr, "%swaiting: %s\n", p.speaker(), terminal.Clean(l.Error()))
}

// stream returns the stream of events on stdout, if -o json asks for it.
func (c applyCmd) stream(p program) *reporting.Stream {
	if c.Output == "json" {
		return &reporting.Stream{Out: p.stdout, Cluster: p.cluster}
	}
	return &reporting.Stream{}
}

// report prints how the run ended, and returns its exit code as an error.
func (a *applying) report(ctx context.Context, o reconcile.Outcome) error {
	code := exitOK
	switch {
	case o.Failed() > 0 && ctx.Err() != nil:
		code = exitInterrupted
		if a.gate == nil {
			a.interrupted()
		}
	case o.Failed() > 0, a.events.Err != nil:
		code = exitError
	}
	if a.Output == "json" {
		a.events.Send(reconcile.LastEvent{Summary: o.Summary(), ExitCode: code})
	} else if a.gate == nil || len(o.Events) > 0 || o.Plan.Changes() { // several plans without changes have been shown
		a.events.Err = writeAll(a.stdout, render.UnderCluster(a.cluster, render.Result(o, paletteFor(a.stdout)), paletteFor(a.stdout)))
	}
	if a.events.Err != nil {
		return reconcile.WithHint(a.events.Err, "the run itself is over; run certsync plan to see what is left")
	}
	if code != exitOK {
		return exitStatus(code)
	}
	if a.gate == nil {
		a.suggest(a.Output, resultOf(o))
	}
	return nil
}

// interrupted says how a run that was interrupted goes on.
func (p program) interrupted() {
	fmt.Fprintf(p.stderr, "%sinterrupted; the next apply does the remaining steps\n", p.speaker())
}
