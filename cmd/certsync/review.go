package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/certsync/certsync/cmd/certsync/internal/reviewpage"
	"github.com/certsync/certsync/inventory/files"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/review"
	"github.com/certsync/certsync/reconcile/revocation"
	"github.com/certsync/certsync/reconcile/usage"
)

type reviewCmd struct {
	inventoryFlags
	serverFlags `group:"Cluster and Vault:"`
	Since       string   `placeholder:"FILE" type:"path" help:"Also show what has changed since an earlier review, which -o json has printed."`
	AuditLog    []string `placeholder:"FILE" type:"path" help:"An audit log of the API server: JSON lines, plain or gzip; - for standard input. The review then says what was used. Repeatable."`
	Output      string   `short:"o" enum:"html,csv,json" default:"html" placeholder:"html|csv|json" help:"A page, a table, or JSON (default: ${default})."`
}

// Help is shown below the flags.
func (reviewCmd) Help() string {
	return `Prints the access review: who can do what on the cluster, through what, how strong it is, since when, and what remains of those who left. It has everybody whom the inventory, the ledger or any binding names. Needs the same rights as plan.

  certsync review > review.html
  certsync review -o json > 2026-Q4.json
  certsync review --since 2026-Q3.json > review.html
  certsync review --audit-log audit.log.gz > review.html
  certsync review -o csv > review.csv

Exit codes: 0 done; 1 an error; 80 usage; 130 interrupted.`
}

// Run prints the review. It only reads.
func (c reviewCmd) Run(ctx context.Context, p program) error {
	inv, err := c.load()
	if err != nil {
		return err
	}
	earlier, err := c.earlier()
	if err != nil {
		return err
	}
	observed, err := c.observe(ctx, p, inv.Owner)
	if err != nil {
		return err
	}
	r := review.Of(inv, observed)
	if earlier != nil {
		if err := r.Compare(*earlier); err != nil {
			return reconcile.WithHint(fmt.Errorf("comparing with %s: %w", c.Since, err), "give --since a review of this owner and cluster, as certsync review -o json prints it")
		}
	}
	if len(c.AuditLog) > 0 {
		log, err := usage.Read(ctx, r.Usernames(), usage.Files(c.AuditLog, p.stdin)...)
		if err == nil && log.Events == 0 {
			err = reconcile.WithHint(errors.New("reading the audit log: it has no events"), "give --audit-log files of the API server's --audit-log-path that are not empty")
		}
		if err != nil {
			return err
		}
		r.AddUse(*log, revocation.Of(inv.Owner, observed).Certificates)
	}
	return c.print(p, r)
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
		return nil, reconcile.WithHint(fmt.Errorf("reading %s: %w", c.Since, err), "give --since what certsync review -o json has printed")
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
