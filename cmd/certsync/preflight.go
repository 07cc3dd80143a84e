package main

import (
	"cmp"
	"context"
	"encoding/json"
	"time"

	"github.com/certsync/certsync/cmd/certsync/internal/fleet"
	"github.com/certsync/certsync/cmd/certsync/internal/issuing"
	"github.com/certsync/certsync/cmd/certsync/internal/nextstep"
	"github.com/certsync/certsync/cmd/certsync/internal/render"
	"github.com/certsync/certsync/cmd/certsync/internal/show"
	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/csr"
	"github.com/certsync/certsync/reconcile/pki"
	"github.com/certsync/certsync/reconcile/preflight"
)

type preflightCmd struct {
	inventoryFlags
	fleet.Flags   `group:"Cluster and Vault:"`
	serverFlags   `group:"Cluster and Vault:"`
	jobFlags      `group:"Cluster and Vault:"`
	sharedCAFlags `group:"Guards, and flags that lift them:"`
	issuerFlags   `group:"Certificates:"`
	Issue         bool   `help:"Issue one test certificate and log in with it, also at the address that users get. It has a name that no user has and is valid for 10 minutes. With --issuer=csr, preflight writes one CertificateSigningRequest and deletes it again."`
	Output        string `short:"o" enum:"text,json" default:"text" placeholder:"text|json" help:"Output format (default: ${default})."`
}

// Help is shown below the flags.
func (preflightCmd) Help() string {
	return `Checks everything that apply needs in Kubernetes and in Vault, and says how to repair what fails. Without --issue it writes nothing: to check a write, it makes a dry run. Run it with the same identity and the same flags as apply.

  certsync preflight
  certsync preflight --issue
  certsync preflight -o json | jq '.checks[] | select(.result == "failed")'

` + exitLine("a check failed, or another error", exitOK, exitError, exitUsage, exitInterrupted)
}

// Validate is called by kong after parsing.
func (c preflightCmd) Validate() error {
	return cmp.Or(c.Flags.Validate(), c.serverFlags.Validate(), c.issuerFlags.Check())
}

// Run makes the checks and shows them.
func (c preflightCmd) Run(ctx context.Context, p program) error {
	targets, err := c.targets(c.Flags)
	if err != nil {
		return err
	}
	if len(targets) > 1 {
		return c.several(ctx, p, targets)
	}
	c.serverFlags = c.at(targets[0])
	report := c.check(ctx, p, targets[0].Inventory)
	if ctx.Err() != nil {
		return context.Cause(ctx) // checks that were not made have not failed
	}
	if err := c.print(p, report); err != nil {
		return err
	}
	if !report.OK() {
		return exitStatus(exitError)
	}
	p.suggest(c.Output, nextstep.Result{})
	return nil
}

// several makes the checks in several clusters.
func (c preflightCmd) several(ctx context.Context, p program, targets []fleet.Target) error {
	if c.Issue && c.Manual() {
		return fleet.OnlyOne("--issue with --approval=manual", targets)
	}
	results, err := inEach(ctx, c.serverFlags, c.Flags, targets, func(ctx context.Context, f serverFlags, t fleet.Target) (preflight.Report, error) {
		at := c
		at.serverFlags = f
		return at.check(ctx, p.in(t.Name), t.Inventory), nil
	})
	if err != nil {
		return err
	}
	document := fleet.PreflightDocument(results)
	if c.Output == "json" {
		err = writeJSON(p.stdout, document)
	} else {
		err = writeAll(p.stdout, show.Preflights(fleet.Shown(results, same), paletteFor(p.stdout)))
	}
	switch {
	case err != nil:
		return err
	case !*document.OK:
		return exitStatus(exitError)
	}
	p.suggest(c.Output, nextstep.Result{})
	return nil
}

// check makes the checks. If one server cannot be reached, it still checks the other.
func (c preflightCmd) check(ctx context.Context, p program, inv *inventory.Inventory) preflight.Report {
	check := &preflight.Preflight{
		Inventory: inv, Namespace: c.Namespace, LockNamespace: c.LockNamespace, AcceptSharedCA: c.AcceptSharedCA,
		Issue: c.Issue, RunID: newRunID(), RunTime: c.RunTime(len(inv.Users)), Now: time.Now,
	}
	cluster, err := c.kubernetes(p)
	if check.ClusterErr = err; err == nil {
		check.Cluster = cluster
	}
	store, err := c.vault(ctx, inv.Owner, 0)
	if check.StoreErr = err; err == nil {
		defer p.leave(ctx, store)
		check.Store = store
	}
	ca, err := c.ReadCA()
	check.CAErr = err
	check.CA, _ = ca.(*pki.CAIssuer)
	stop := func() {}
	defer func() { stop() }()
	check.OpenIssuer = func(self reconcile.Identity) (issuer reconcile.Issuer) {
		stop()
		progress := &render.Progress{Out: p.stderr}
		issuer, stop = c.issuerFlags.Open(ca, cluster, csr.Options{
			Owner: inv.Owner, RunID: check.RunID, Identity: self, Announce: issuing.AskForApproval(progress), StopAsking: ctx.Done(),
		}, 1)
		return issuer
	}
	return check.Do(ctx)
}

func (c preflightCmd) print(p program, report preflight.Report) error {
	if c.Output == "json" {
		text, err := json.Marshal(report)
		if err != nil {
			return err
		}
		return writeAll(p.stdout, append(text, '\n'))
	}
	return writeAll(p.stdout, show.Preflight(report, paletteFor(p.stdout)))
}
