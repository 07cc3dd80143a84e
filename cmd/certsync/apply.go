package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/csr"
)

type applyCmd struct {
	inventoryFlags
	serverFlags `group:"Cluster and Vault:"`
	ruleFlags   `group:"Guards, and what lifts them:"`
	lockFlags   `group:"Cluster and Vault:"`
	issuerFlags `group:"Certificates:"`
	tellFlags   `group:"Telling:"`
	Yes         bool       `short:"y" help:"Do not ask."`
	Expect      planDigest `placeholder:"sha256:…" help:"Apply only the plan with this digest; do not ask."`
	Output      string     `short:"o" enum:"text,json" default:"text" placeholder:"text|json" help:"Text for people, or events as JSON, one a line (default: ${default})."`
	MaxInFlight int        `group:"Certificates:" default:"50" placeholder:"N" help:"How many CertificateSigningRequests may wait at once; kubelets share the signer (default: ${default})."`
	Hold        bool       `help:"Skip the users and bindings that a guard refuses to change, and apply the rest."`
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

// Run applies the inventory, and tells of it wherever it is to be told.
func (c applyCmd) Run(ctx context.Context, p program) error {
	defer outliveReaders()()
	return c.telling(ctx, p, c.apply)
}

func (c applyCmd) apply(ctx context.Context, p program, t *telling) error {
	inv, err := c.load()
	if err != nil {
		return err
	}
	t.account.Owner = inv.Owner
	ca, err := c.readCA()
	if err != nil {
		return err
	}
	cluster, store, err := c.connect(ctx, inv.Owner, c.MaxInFlight)
	t.cluster = cluster // there is one also when it is Vault that is not to be had
	if err != nil {
		return err
	}
	defer p.leave(ctx, store)
	self, err := cluster.WhoAmI(ctx)
	if err != nil {
		t.cluster = nil // what it does not tell, it will not be told either
		return err
	}
	runID := t.account.RunID
	progress := &progress{out: p.stderr, terminal: draws(p.stderr), colours: paletteFor(p.stderr), now: time.Now}
	issuer, stop := c.openIssuer(ca, cluster, csr.Options{
		Owner: inv.Owner, RunID: runID, Identity: self, MaxInFlight: c.MaxInFlight, Announce: progress.askFor,
		StopAsking: ctx.Done(), // after an interruption nobody waits for people
	}, len(inv.Users))
	defer stop()
	events := &eventStream{out: p.stdout}
	executor := newExecutor(cluster, store, issuer, c.MaxInFlight, runID)
	executor.WithoutCanary = c.manual()
	executor.Report = func(e reconcile.Event) {
		progress.step(e)
		if c.Output == "json" {
			events.send(e)
		}
	}
	rules := c.rules(self, c.LockNamespace)
	rules.Expect = string(c.Expect)
	shown := false
	apply := &reconcile.Apply{
		Cluster: cluster, Store: store, Access: cluster, StoreAccess: store, Executor: executor,
		Rules: rules, Hold: c.Hold, Unseen: c.Yes && c.Expect == "",
		Lock: c.locker(cluster, inv.Owner, self, runID, p.waiting), LockNamespace: c.LockNamespace,
		Consent: func(plan reconcile.Plan) error { shown = true; return c.consent(ctx, p, plan) },
		Begin: func(plan reconcile.Plan) {
			progress.begin(len(plan.Steps))
			context.AfterFunc(ctx, p.ending)
		},
	}
	outcome, err := apply.Do(ctx, inv)
	t.account.Outcome = outcome
	progress.end()
	if errors.As(err, new(reconcile.Refused)) && !shown {
		err = cmp.Or(c.show(p, outcome.Plan), err) // what is refused is in it
	}
	if err != nil {
		return err
	}
	return c.report(ctx, p, outcome, events)
}

// ending says what the first signal sets off.
func (p program) ending() {
	fmt.Fprintf(p.stderr, "certsync: interrupted: what is under way has %s to end; interrupt again to leave at once\n", reconcile.LastStep)
}

// waiting says what apply waits for.
func (p program) waiting(l reconcile.Locked) {
	fmt.Fprintf(p.stderr, "certsync: waiting: %s\n", clean(l.Error()))
}

// outliveReaders keeps a reader who went away (`certsync apply --yes 2>&1 | head`) from ending the run by SIGPIPE in
// the middle of a user. Writes fail instead.
func outliveReaders() (stop func()) {
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE)
	return func() { signal.Stop(broken) }
}

// eventStream writes events as JSON, one a line. The first write that failed is remembered to the end.
type eventStream struct {
	out io.Writer
	err error
}

func (s *eventStream) send(event any) {
	text, err := json.Marshal(event)
	if err == nil {
		err = writeAll(s.out, append(text, '\n'))
	}
	if s.err == nil {
		s.err = err
	}
}

// report prints how the run ended and returns its exit code.
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
		events.err = writeAll(p.stdout, resultText(o, paletteFor(p.stdout)))
	}
	if events.err != nil {
		return reconcile.WithHint(events.err, "the run is over all the same; certsync plan shows what is left")
	}
	if code != exitOK {
		return status(code)
	}
	return nil
}
