package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/kubeconfig"
)

type kubeconfigCmd struct {
	credentialFlags
	clientKeyFlags
	Merge      bool   `help:"Merge it into the kubeconfig that kubectl uses, instead of printing it. Other entries stay as they are, and the old file is kept."`
	Kubeconfig string `placeholder:"FILE" help:"With --merge: the file to merge into, instead of those of $$KUBECONFIG or ~/.kube/config."`
	Exec       bool   `help:"Without certificate and key: kubectl gets them by certsync credential whenever it needs them, so that a renewal goes unnoticed."`
}

// Help is shown below the flags.
func (kubeconfigCmd) Help() string {
	return `Needs no inventory, and no right in Vault but to read your own path. Log in to Vault as yourself first (vault login).

  certsync kubeconfig --owner prod-eu --user alice@example.com > kubeconfig
  certsync kubeconfig --owner prod-eu --user alice@example.com --merge --exec
  kubectl --context prod-eu get pods

What it prints holds your private key, except with --exec. CERTSYNC_OWNER and CERTSYNC_USER in the environment save the typing.

Exit codes: 0 done; 1 an error; 3 refused, nothing was written: entries of these names lead elsewhere, or would lead other contexts elsewhere; 80 usage; 130 interrupted.`
}

// Validate is called by kong after parsing.
func (c kubeconfigCmd) Validate() error {
	if c.Kubeconfig != "" && !c.Merge {
		return errors.New("--kubeconfig: without --merge it does nothing")
	}
	return c.credentialFlags.validate()
}

// Run prints the kubeconfig, or merges it.
func (c kubeconfigCmd) Run(ctx context.Context, p program) error {
	stored, err := c.fetch(ctx, p, 0)
	if err != nil {
		return err
	}
	if stored.Kubeconfig, err = kubeconfig.Stored(c.User, stored.Credential); err != nil {
		return err
	}
	credential, err := c.complete(c.User, stored.Credential)
	if err != nil {
		return err
	}
	text := credential.Kubeconfig
	if c.Exec {
		plugin, err := c.plugin(p)
		if err != nil {
			return err
		}
		if text, err = kubeconfig.WithPlugin(text, plugin); err != nil {
			return err
		}
	}
	until, known := credential.Until()
	if known && !time.Now().Before(until) {
		p.complain(reconcile.WithHint(fmt.Errorf("the certificate of %q has expired at %s", c.User, until.UTC().Format(time.RFC3339)),
			"ask whoever runs certsync: apply renews it"))
	}
	if !c.Merge {
		return writeAll(p.stdout, text.Reveal())
	}
	done, err := kubeconfig.Merge(ctx, c.Kubeconfig, text)
	if err != nil {
		return err
	}
	if len(done.Elsewhere) > 0 {
		p.complain(reconcile.WithHint(fmt.Errorf("cluster %q has changed in your kubeconfig: %s", done.Context, strings.Join(done.Elsewhere, ", ")),
			fmt.Sprintf("if nobody told you of that, ask whoever runs certsync before you use it; what stood there before is in %s", strings.Join(done.Backups, " and "))))
	}
	if c.Exec || !time.Now().Before(until) {
		known = false // the plugin finds out by itself; and what is over has been said
	}
	return writeAll(p.stdout, mergedText(done, c.Kubeconfig, until, known))
}

// mergedText says where it went and what is left to do. file is that of --kubeconfig; known: when the certificate in it ends.
func mergedText(done kubeconfig.Merged, file string, until time.Time, known bool) []byte {
	var b strings.Builder
	files := clean(strings.Join(done.Files, " and "))
	if done.Changed {
		fmt.Fprintf(&b, "Merged context %s into %s.\n", name(done.Context), files)
	} else {
		fmt.Fprintf(&b, "Context %s in %s is as it should be.\n", name(done.Context), files)
	}
	if len(done.Backups) > 0 {
		fmt.Fprintf(&b, "What stood there before is in %s.\n", clean(strings.Join(done.Backups, " and ")))
	}
	if known {
		fmt.Fprintf(&b, "The certificate lives until %s. Merge again after a renewal, or once with --exec.\n", until.UTC().Format(time.RFC3339))
	}
	kubectl := "kubectl"
	if file != "" {
		kubectl += " " + inventory.ShellQuote("--kubeconfig="+file)
	}
	if done.Current {
		fmt.Fprintf(&b, "It is the current context: %s auth whoami\n", kubectl)
	} else {
		fmt.Fprintf(&b, "To use it: %s config use-context %s\n", kubectl, inventory.ShellQuote(done.Context))
	}
	return []byte(b.String())
}
