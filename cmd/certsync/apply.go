package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube"
)

type applyCmd struct {
	inventoryFlags
	serverFlags
	Yes         bool   `short:"y" help:"Do not ask."`
	Expect      string `placeholder:"sha256:…" help:"Apply only the plan with this digest; do not ask."`
	Output      string `short:"o" enum:"text,json" default:"text" help:"text or json: one event a line (default: ${default})."`
	MaxInFlight int    `default:"50" placeholder:"N" help:"How many CertificateSigningRequests may wait at once; kubelets share the signer (default: ${default})."`
	AllowEmpty  bool   `help:"Let an inventory without users take everybody's access."`
}

// Help is shown below the flags.
func (applyCmd) Help() string {
	return `Without a terminal, --yes or --expect is needed. A run that was cut off anywhere is finished by the next one.

  certsync apply                            # shows the plan and asks
  certsync apply --expect "$(certsync plan -o json | jq -r .digest)"

Exit codes: 0 done; 1 an error, or some users failed and the others were done; 3 refused, nothing was written; 80 usage; 130 interrupted.`
}

// Validate is called by kong after parsing.
func (c applyCmd) Validate() error {
	if c.MaxInFlight < 1 {
		return fmt.Errorf("--max-in-flight must be at least 1")
	}
	if digest, ok := strings.CutPrefix(c.Expect, "sha256:"); c.Expect != "" && (!ok || len(digest) != 64) {
		return fmt.Errorf("--expect must be a plan's digest, sha256: and 64 hexadecimal digits")
	}
	return nil
}

// Run applies the inventory.
func (c applyCmd) Run(ctx context.Context, p program) error {
	inv, err := c.load()
	if err != nil {
		return err
	}
	cluster, err := c.cluster()
	if err != nil {
		return err
	}
	store, err := c.vault(ctx, inv.Owner, c.MaxInFlight)
	if err != nil {
		return err
	}
	self, err := cluster.WhoAmI(ctx)
	if err != nil {
		return err
	}
	runID := newRunID()
	issuer := cluster.Issuer(kube.IssuerOptions{Owner: inv.Owner, RunID: runID, Identity: self, MaxInFlight: c.MaxInFlight})
	defer issuer.Close()
	progress := &progress{out: p.stderr, terminal: isTerminal(p.stderr), colours: paletteFor(p.stderr)}
	executor := newExecutor(cluster, store, issuer, c.MaxInFlight, runID)
	executor.Report = func(e reconcile.Event) {
		progress.step(e)
		if c.Output == "json" {
			p.event(e)
		}
	}
	apply := &reconcile.Apply{
		Cluster: cluster, Store: store, Access: cluster, StoreAccess: store, Executor: executor, Self: self, AllowEmpty: c.AllowEmpty,
		Consent: func(plan reconcile.Plan) error { return c.consent(ctx, p, plan) },
		Begin:   func(plan reconcile.Plan) { progress.begin(len(plan.Steps)) },
	}
	outcome, err := apply.Do(ctx, inv)
	progress.end()
	if err != nil {
		return err
	}
	return c.report(ctx, p, outcome)
}

// consent shows the plan and gets leave to carry it out.
func (c applyCmd) consent(ctx context.Context, p program, plan reconcile.Plan) error {
	out := p.stdout
	if c.Output == "json" {
		out = p.stderr // stdout carries events
	}
	if err := writeAll(out, planText(plan, paletteFor(out))); err != nil {
		return err
	}
	switch {
	case c.Expect != "" && c.Expect != plan.Digest():
		return reconcile.Refused{Violations: []string{fmt.Sprintf("the plan's digest is %s, not the expected %s (--expect)", plan.Digest(), c.Expect)}}
	case c.Expect != "", c.Yes:
		return nil
	case !isTerminal(p.stdin) || !isTerminal(p.stderr):
		return reconcile.Refused{Violations: []string{"there is no terminal to ask on (--yes, or --expect " + plan.Digest() + ")"}}
	}
	fmt.Fprintf(p.stderr, "\nApply this plan? Only \"yes\" is taken as consent: ")
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(p.stdin).ReadString('\n')
		answer <- strings.TrimSpace(line)
	}()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case a := <-answer:
		if a != "yes" {
			return reconcile.Refused{Violations: []string{"no consent was given"}}
		}
	}
	return nil
}

// event prints one line of JSON.
func (p program) event(e any) {
	text, err := json.Marshal(e)
	if err != nil {
		panic(err) // strings, ints and times only
	}
	// A reader who went away must not stop the run in the middle of a user.
	_, _ = p.stdout.Write(append(text, '\n'))
}

// report prints how the run ended and returns its exit code.
func (c applyCmd) report(ctx context.Context, p program, o reconcile.Outcome) error {
	code := exitOK
	switch {
	case ctx.Err() != nil:
		code = exitInterrupted
	case o.Failed() > 0:
		code = exitError
	}
	if c.Output == "json" {
		p.event(struct {
			Summary  map[string]int `json:"summary"`
			ExitCode int            `json:"exitCode"`
		}{o.Summary(), code})
	} else if err := writeAll(p.stdout, resultText(o, paletteFor(p.stdout))); err != nil {
		return err
	}
	if code != exitOK {
		return status(code)
	}
	return nil
}
