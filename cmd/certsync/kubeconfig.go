package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/certsync/certsync/cmd/certsync/internal/credentials"
	"github.com/certsync/certsync/cmd/certsync/internal/render"
	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/kubeconfig"
	"github.com/certsync/certsync/reconcile/pki"
)

type kubeconfigCmd struct {
	credentialFlags
	clientKeyFlags
	Merge       bool   `help:"Merge it into the kubeconfig that kubectl uses, instead of printing it. Other entries stay as they are, and the old file is kept."`
	Kubeconfig  string `placeholder:"FILE" help:"With --merge: the file to merge into, instead of those of $$KUBECONFIG or ~/.kube/config."`
	ContextName string `placeholder:"NAME" help:"Name of the context, instead of the cluster's name: for a second account on one cluster. Merging again keeps it."`
	Exec        bool   `help:"Without certificate and key: kubectl gets them by certsync credential whenever it needs them, so that a renewal goes unnoticed."`
	ExecCommand string `placeholder:"PATH" help:"With --exec: the path of certsync that kubectl runs, for programs whose PATH does not lead to it, such as a GUI."`
}

// Help is shown below the flags.
func (kubeconfigCmd) Help() string {
	return `Needs no inventory, and no right in Vault but to read your own path. Log in to Vault as yourself first (vault login).

  certsync kubeconfig --owner prod-eu --user alice@example.com > kubeconfig
  certsync kubeconfig --owner prod-eu --user alice@example.com --merge --exec
  kubectl --context prod-eu get pods

A second account on the same cluster needs another name for its context:

  certsync kubeconfig --owner dev --user al-admin --merge --context-name adm

What it prints holds your private key, except with --exec. CERTSYNC_OWNER and CERTSYNC_USER in the environment save the typing.

Exit codes: 0 done; 1 an error; 3 refused, nothing was written: entries of these names lead elsewhere, or would lead other contexts elsewhere; 80 usage; 130 interrupted.`
}

// Validate is called by kong after parsing.
func (c kubeconfigCmd) Validate() error {
	if c.Kubeconfig != "" && !c.Merge {
		return errors.New("--kubeconfig: without --merge it does nothing")
	}
	if c.ExecCommand != "" && !c.Exec {
		return errors.New("--exec-command: without --exec it does nothing")
	}
	if strings.ContainsFunc(c.ExecCommand, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return errors.New("--exec-command: it holds characters that are not printable")
	}
	if (inventory.Cluster{Name: c.ContextName}).Fault() != "" {
		return errors.New("--context-name: letters, digits and . _ : / @ + - are allowed, the first and the last a letter or digit, at most 253 in all")
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
	credential, err := credentials.AddKey(c.User, stored.Credential, c.ClientKey)
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
	until, known := pki.Until(credential)
	if known && !time.Now().Before(until) {
		p.complain(reconcile.WithHint(fmt.Errorf("the certificate of %q has expired at %s", c.User, reconcile.TimeText(until)),
			"ask whoever runs certsync: apply renews it"))
	}
	if !c.Merge {
		if c.ContextName != "" {
			if text, err = kubeconfig.WithContext(text, c.ContextName); err != nil {
				return err
			}
		}
		return writeAll(p.stdout, text.Reveal())
	}
	done, err := kubeconfig.Merge(ctx, c.Kubeconfig, c.ContextName, text)
	if err != nil {
		return err
	}
	if len(done.Elsewhere) > 0 {
		p.complain(reconcile.WithHint(fmt.Errorf("cluster %q has changed in your kubeconfig: %s", done.Context, strings.Join(done.Elsewhere, ", ")),
			fmt.Sprintf("if nobody told you of that, ask whoever runs certsync before you use it; what stood there before is in %s", strings.Join(done.Backups, " and "))))
	}
	merge := render.MergeResult{
		Context: done.Context, Current: done.Current, Changed: done.Changed, Files: done.Files, Backups: done.Backups,
		Kubeconfig: c.Kubeconfig,
	}
	// The plugin renews the certificate by itself, and an expired one has been reported.
	if known && !c.Exec && time.Now().Before(until) {
		merge.Until = until
	}
	return writeAll(p.stdout, render.Merge(merge))
}
