package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/certsync/certsync/cmd/certsync/internal/prompt"
	"github.com/certsync/certsync/cmd/certsync/internal/render"
	"github.com/certsync/certsync/reconcile"
)

// planDigest is the value of --expect.
type planDigest string

// UnmarshalText returns an error for text that is not a digest. A failed `certsync plan` in $(…) leaves an empty text, which
// must not count as no --expect.
func (d *planDigest) UnmarshalText(text []byte) error {
	digits, ok := strings.CutPrefix(string(text), "sha256:")
	if sum, err := hex.DecodeString(digits); !ok || err != nil || len(sum) != 32 {
		return errors.New("expected the digest of a plan: sha256: and 64 hexadecimal digits")
	}
	*d = planDigest(text)
	return nil
}

// consent shows the plan and asks for consent, unless --yes or --expect gives it. The caller has compared --expect with the
// plan.
func (c applyCmd) consent(ctx context.Context, p program, plan reconcile.Plan) error {
	if err := c.show(p, plan); err != nil {
		return err
	}
	digest := plan.Digest()
	switch {
	case c.Expect != "", c.Yes:
		return nil
	case !isTerminal(p.stdin) || !isTerminal(p.stderr):
		return refuse("there is no terminal to ask for consent; set --yes, or --expect %s", digest)
	}
	fmt.Fprint(p.stderr, "\nApply this plan? Only \"yes\" is accepted: ")
	answer, err := prompt.ReadLine(ctx, p.stdin)
	if !strings.HasSuffix(answer, "\n") {
		fmt.Fprintln(p.stderr) // the cursor is still after the question
	}
	if err == nil && strings.TrimSpace(answer) != "yes" {
		err = refuse("the answer was not \"yes\"")
	}
	return err
}

// show prints a plan for consent.
func (c applyCmd) show(p program, plan reconcile.Plan) error {
	out := p.stdout
	if c.Output == "json" {
		out = p.stderr // stdout carries events
	}
	return writeAll(out, render.Plan(plan, paletteFor(out)))
}

func refuse(format string, args ...any) error {
	return reconcile.Refused{Violations: []string{fmt.Sprintf(format, args...)}}
}
