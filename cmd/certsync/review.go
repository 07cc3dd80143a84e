package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/certsync/certsync/cmd/certsync/internal/flagvalue"
	"github.com/certsync/certsync/cmd/certsync/internal/fleet"
	"github.com/certsync/certsync/cmd/certsync/internal/reviewpage"
	"github.com/certsync/certsync/inventory/files"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/review"
	"github.com/certsync/certsync/reconcile/revocation"
	"github.com/certsync/certsync/reconcile/usage"
)

type reviewCmd struct {
	inventoryFlags
	fleet.Flags `group:"Cluster and Vault:"`
	serverFlags `group:"Cluster and Vault:"`
	jobFlags    `group:"Cluster and Vault:"`
	Since       string   `placeholder:"FILE" type:"path" help:"Also show the changes since an earlier review. FILE is the output of review -o json."`
	AuditLog    []string `placeholder:"FILE" type:"path" help:"Audit log of the API server, as JSON lines, plain or gzip; - is standard input. The review then shows which access was used. Repeatable."`
	Output      string   `short:"o" enum:"html,csv,json" default:"html" placeholder:"html|csv|json" help:"Output format (default: ${default})."`
}

// Help is shown below the flags.
func (reviewCmd) Help() string {
	return `Prints an access review of the cluster: each user's roles, the bindings that give them, their strength, and since when. It also shows the access that users who left still have. It covers all users in the inventory, the ledger and any binding. It writes nothing, and needs the same rights as plan.

  certsync review > review.html
  certsync review -o json > 2026-Q4.json
  certsync review --since 2026-Q3.json > review.html
  certsync review --audit-log audit.log.gz > review.html
  certsync review -o csv > review.csv

` + exitLine(anError(), exitOK, exitError, exitUsage, exitInterrupted)
}

// Validate is called by kong after parsing.
func (c reviewCmd) Validate() error { return cmp.Or(c.Flags.Validate(), c.serverFlags.Validate()) }

// AfterApply is called by kong after parsing, also for an empty flag.
func (c reviewCmd) AfterApply() error { return flagvalue.RefuseEmpty("--audit-log", c.AuditLog) }

// Run prints the review. It only reads.
func (c reviewCmd) Run(ctx context.Context, p program) error {
	targets, err := c.targets(c.Flags)
	if err != nil {
		return err
	}
	if len(targets) > 1 {
		return c.several(ctx, p, targets)
	}
	c.serverFlags = c.at(targets[0])
	inv := targets[0].Inventory
	earlier, err := c.earlier()
	if err != nil {
		return err
	}
	observed, err := c.observe(ctx, p, inv.Owner)
	if err != nil {
		return err
	}
	r := review.Of(inv, observed, c.own(c.LockNamespace))
	if earlier != nil {
		if err := r.Compare(*earlier); err != nil {
			return reconcile.WithHint(fmt.Errorf("comparing with %s: %w", c.Since, err), "set --since to the output of certsync review -o json for this owner and cluster")
		}
	}
	if len(c.AuditLog) > 0 {
		log, err := usage.Read(ctx, r.Usernames(), usage.Files(c.AuditLog, p.stdin)...)
		if err == nil && log.Events == 0 {
			err = reconcile.WithHint(errors.New("reading the audit log: it contains no events"), "set --audit-log to a file that the API server's --audit-log-path names")
		}
		if err != nil {
			return err
		}
		revoked, err := revocation.Of(inv.Owner, observed)
		if err != nil {
			return err
		}
		r.AddUse(*log, revoked.Certificates)
	}
	return c.print(p, r)
}

// several prints the reviews of several clusters.
func (c reviewCmd) several(ctx context.Context, p program, targets []fleet.Target) error {
	switch {
	case c.Since != "":
		return fleet.OnlyOne("--since", targets)
	case len(c.AuditLog) > 0:
		return fleet.OnlyOne("--audit-log", targets)
	}
	results, err := inEach(ctx, c.serverFlags, c.Flags, targets, func(ctx context.Context, f serverFlags, t fleet.Target) (review.Review, error) {
		observed, err := f.observe(ctx, p.in(t.Name), t.Owner)
		if err != nil {
			return review.Review{}, err
		}
		return review.Of(t.Inventory, observed, c.own(f.LockNamespace)), nil
	})
	if err != nil {
		return err
	}
	if c.Output == "json" {
		return cmp.Or(writeJSON(p.stdout, fleet.ReviewDocument(results)), ended(p, results))
	}
	write := reviewpage.HTMLOfClusters
	if c.Output == "csv" {
		write = reviewpage.CSVOfClusters
	}
	text, err := write(fleet.Reviewed(results))
	return cmp.Or(err, writeAll(p.stdout, text), ended(p, results))
}

// earlier reads the review that --since names.
func (c reviewCmd) earlier() (*review.Review, error) {
	if c.Since == "" {
		return nil, nil
	}
	text, err := files.Read(c.Since, review.MaxSize)
	if err != nil {
		return nil, fmt.Errorf("reading the earlier review: %w", err)
	}
	earlier, err := review.Parse(text)
	if err != nil {
		return nil, reconcile.WithHint(fmt.Errorf("reading %s: %w", c.Since, err), "set --since to the output of certsync review -o json")
	}
	return &earlier, nil
}

func (c reviewCmd) print(p program, r review.Review) error {
	var text []byte
	var err error
	switch c.Output {
	case "json":
		return writeJSON(p.stdout, r)
	case "csv":
		text, err = reviewpage.CSV(r)
	default:
		text, err = reviewpage.HTML(r)
	}
	if err != nil {
		return err
	}
	return writeAll(p.stdout, text)
}
