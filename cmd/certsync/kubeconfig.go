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
	Merge       bool   `help:"Merge it into the kubeconfig that kubectl uses, instead of printing it. Other entries stay as they are. certsync keeps the old file as a backup."`
	Kubeconfig  string `placeholder:"FILE" help:"With --merge: file to merge into (default: $$KUBECONFIG, then ~/.kube/config)."`
	ContextName string `placeholder:"NAME" help:"Name of the context, for a second account on one cluster. Later merges keep it (default: the cluster's name)."`
	Exec        bool   `help:"Write no certificate and no key. kubectl runs certsync credential to get them, so you need not merge again after a renewal."`
	ExecCommand string `placeholder:"PATH" help:"With --exec: path of the certsync that kubectl runs. For programs with a short PATH, such as a GUI."`
}

// Help is shown below the flags.
func (kubeconfigCmd) Help() string {
	return `Reads your kubeconfig from Vault, and prints it or merges it into your own. It needs no inventory. In Vault it needs only the right to read your own path. Log in to Vault as yourself first (vault login).

  certsync kubeconfig --owner prod-eu --user alice@example.com > kubeconfig
  certsync kubeconfig --owner prod-eu --user alice@example.com --merge --exec
  kubectl --context prod-eu get pods

A second account on the same cluster needs its own context name:

  certsync kubeconfig --owner dev --user al-admin --merge --context-name adm

Without --exec, the output contains your private key. Set CERTSYNC_OWNER and CERTSYNC_USER in the environment to shorten the command. certsync refuses a merge that would change another account's entries or context.

` + exitLine(anError(), exitOK, exitError, exitRefused, exitUsage, exitInterrupted)
}

// Validate is called by kong after parsing.
func (c kubeconfigCmd) Validate() error {
	if c.Kubeconfig != "" && !c.Merge {
		return errors.New("--kubeconfig requires --merge")
	}
	if c.ExecCommand != "" && !c.Exec {
		return errors.New("--exec-command requires --exec")
	}
	if strings.ContainsFunc(c.ExecCommand, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return errors.New("--exec-command: it contains characters that are not printable")
	}
	if (inventory.Cluster{Name: c.ContextName}).Fault() != "" {
		return errors.New("--context-name: expected letters, digits and . _ : / @ + - (at most 253 characters, with a letter or digit first and last)")
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
		p.complain(reconcile.WithHint(fmt.Errorf("the certificate of %q expired at %s", c.User, reconcile.TimeText(until)),
			"ask the administrator of certsync to run certsync apply, which renews it"))
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
			fmt.Sprintf("if you did not expect this, ask the administrator of certsync before you use the context; the old file is kept as %s", strings.Join(done.Backups, " and "))))
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
