package main

import (
	"cmp"
	"context"
	"encoding/json"
	"time"

	"github.com/certsync/certsync/cmd/certsync/internal/fleet"
	"github.com/certsync/certsync/cmd/certsync/internal/generate"
	"github.com/certsync/certsync/cmd/certsync/internal/show"
	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/deploy"
	"github.com/certsync/certsync/reconcile/revocation"
)

type revocationsCmd struct {
	inventoryFlags
	fleet.Flags `group:"Cluster and Vault:"`
	serverFlags `group:"Cluster and Vault:"`
	Output      string `short:"o" enum:"text,json,admission-policy,authorization-config" default:"text" placeholder:"text|json|admission-policy|authorization-config" help:"Output format. admission-policy is a ValidatingAdmissionPolicy; authorization-config is a list of authorizers for an AuthorizationConfiguration (default: ${default})."`
}

// Help is shown below the flags.
func (revocationsCmd) Help() string {
	return `Lists the certificates that are revoked and have not expired. For each one it shows the user, the reason, the time of revocation and the expiry. It also shows the access that bindings of others still give. It writes nothing, and needs the same rights as plan.

  certsync revocations
  certsync revocations -o json | jq -r .certificates[].username
  certsync revocations -o admission-policy | kubectl apply --server-side -f -
  certsync revocations -o authorization-config > revoked.yaml

` + exitLine(anError(), exitOK, exitError, exitUsage, exitInterrupted)
}

// Validate is called by kong after parsing.
func (c revocationsCmd) Validate() error { return cmp.Or(c.Flags.Validate(), c.serverFlags.Validate()) }

// Run reports on the revoked certificates. It only reads.
func (c revocationsCmd) Run(ctx context.Context, p program) error {
	targets, err := c.targets(c.Flags)
	if err != nil {
		return err
	}
	if len(targets) > 1 {
		return c.several(ctx, p, targets)
	}
	c.serverFlags = c.at(targets[0])
	inv := targets[0].Inventory
	observed, err := c.observe(ctx, p, inv.Owner)
	if err != nil {
		return err
	}
	report, err := revocation.Of(inv.Owner, observed)
	if err != nil {
		return err
	}
	text, err := c.text(report, paletteFor(p.stdout))
	if err != nil {
		return err
	}
	return writeAll(p.stdout, text)
}

// several reports on the revoked certificates of several clusters.
func (c revocationsCmd) several(ctx context.Context, p program, targets []fleet.Target) error {
	if c.Output != "text" && c.Output != "json" {
		return fleet.OnlyOne("--output="+c.Output, targets)
	}
	results, err := inEach(ctx, c.serverFlags, c.Flags, targets, func(ctx context.Context, f serverFlags, t fleet.Target) (revocation.Report, error) {
		observed, err := f.observe(ctx, p.in(t.Name), t.Owner)
		if err != nil {
			return revocation.Report{}, err
		}
		return revocation.Of(t.Owner, observed)
	})
	if err != nil {
		return err
	}
	if c.Output == "json" {
		err = writeJSON(p.stdout, fleet.RevocationsDocument(results))
	} else {
		err = writeAll(p.stdout, show.RevocationsInClusters(fleet.Shown(results, same), paletteFor(p.stdout)))
	}
	return cmp.Or(err, ended(p, results))
}

func (c revocationsCmd) text(r revocation.Report, colours terminal.Palette) ([]byte, error) {
	switch c.Output {
	case "json":
		text, err := json.Marshal(r)
		return append(text, '\n'), err
	case "admission-policy":
		var documents []any
		for _, object := range deploy.RevocationPolicy(r.Owner, r.Entries) {
			documents = append(documents, object)
		}
		return generate.AdmissionPolicy(r, documents)
	case "authorization-config":
		return generate.AuthorizationConfig(r)
	}
	return show.Revocations(r, colours), nil
}

// observe reads the cluster and Vault, and revokes its token before anything is printed, see planCmd.plan. A state that it
// cannot read is an error.
func (f serverFlags) observe(ctx context.Context, p program, owner string) (reconcile.Observed, error) {
	cluster, store, err := f.connect(ctx, p, owner, 0)
	if err != nil {
		return reconcile.Observed{}, err
	}
	defer p.leave(ctx, store)
	observed, err := reconcile.Observe(ctx, owner, cluster, store, time.Now)
	return observed, cmp.Or(err, observed.StateProblem)
}
