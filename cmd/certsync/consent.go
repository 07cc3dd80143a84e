package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/certsync/certsync/cmd/certsync/internal/fleet"
	"github.com/certsync/certsync/cmd/certsync/internal/prompt"
	"github.com/certsync/certsync/cmd/certsync/internal/render"
	"github.com/certsync/certsync/reconcile"
)

// planDigest is the value of --expect.
type planDigest = fleet.PlanDigest

// consent shows the plan and asks for consent, unless --yes or --expect gives it. The caller has compared --expect with the
// plan.
func (c applyCmd) consent(ctx context.Context, p program, plan reconcile.Plan) error {
	if err := c.show(p, plan); err != nil {
		return err
	}
	if c.Expect != "" || c.Yes {
		return nil
	}
	return c.ask(ctx, p, "Apply this plan?", plan.Digest())
}

// ask asks for consent on the terminal.
func (c applyCmd) ask(ctx context.Context, p program, question, digest string) error {
	if !isTerminal(p.stdin) || !isTerminal(p.stderr) {
		return refuse("there is no terminal to ask for consent; set --yes, or --expect %s", digest)
	}
	fmt.Fprintf(p.stderr, "\n%s Only \"yes\" is accepted: ", question)
	answer, err := prompt.ReadLine(ctx, p.stdin)
	if !strings.HasSuffix(answer, "\n") {
		fmt.Fprintln(p.stderr) // the cursor is still after the question
	}
	if err == nil && strings.TrimSpace(answer) != "yes" {
		err = refuse("the answer was not \"yes\"")
	}
	return err
}

// shows is where a plan is shown for consent. With -o json, stdout carries events.
func (c applyCmd) shows(p program) *os.File {
	if c.Output == "json" {
		return p.stderr
	}
	return p.stdout
}

// show prints a plan for consent.
func (c applyCmd) show(p program, plan reconcile.Plan) error {
	out := c.shows(p)
	return writeAll(out, render.UnderCluster(p.cluster, render.Plan(plan, paletteFor(out)), paletteFor(out)))
}

func refuse(format string, args ...any) error {
	return reconcile.Refused{Violations: []string{fmt.Sprintf(format, args...)}}
}
