package main

import (
	"context"
	"errors"
	"strings"
	"unicode"

	"github.com/certsync/certsync/cmd/certsync/internal/credentials"
	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/vaultstore"
)

type kubeconfigCmd struct {
	Owner []string `required:"" placeholder:"NAME" help:"Owner of the inventory that lists you. Repeatable: one context for each."`
	userFlags
	clientKeyFlags
	Merge       bool   `help:"Merge it into the kubeconfig that kubectl uses, instead of printing it. Other entries stay as they are. certsync keeps the old file as a backup."`
	Kubeconfig  string `placeholder:"FILE" help:"With --merge: file to merge into (default: $$KUBECONFIG, then ~/.kube/config)."`
	ContextName string `placeholder:"NAME" help:"Name of the context, for a second account on one cluster. Later merges keep it (default: the cluster's name)."`
	Exec        bool   `help:"Write no certificate and no key. kubectl runs certsync credential to get them, so you need not merge again after a renewal."`
	ExecCommand string `placeholder:"PATH" help:"With --exec: path of the certsync that kubectl runs. For programs with a short PATH, such as a GUI."`
}

// Help is shown below the flags.
func (kubeconfigCmd) Help() string {
	return `Reads your kubeconfig from Vault, and prints it or merges it into your own. It needs no inventory, and in Vault only the right to read your own path. Log in to Vault as yourself first (vault login).

  umask 077    # the kubeconfig holds a private key
  certsync kubeconfig --owner prod-eu --user alice@example.com > kubeconfig
  certsync kubeconfig --owner prod-eu --user alice@example.com --merge --exec
  kubectl --context prod-eu get pods

A second account on the same cluster needs its own context name:

  certsync kubeconfig --owner dev --user al-admin --merge --context-name adm

For several clusters at once, name their owners:

  certsync kubeconfig --owner dev,prod-eu --user alice@example.com --merge

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
	if c.ContextName != "" && len(c.Owner) > 1 {
		return errors.New("--context-name is for one --owner: each owner's context has a name of its own")
	}
	return c.validate(c.Owner...)
}

// AfterApply is called by kong after parsing, also for an empty flag.
func (c kubeconfigCmd) AfterApply() error { return c.refuseEmpty(c.Owner...) }

// Run prints the kubeconfigs of all owners as one, or merges them.
func (c kubeconfigCmd) Run(ctx context.Context, p program) error {
	source := credentials.Kubeconfigs{
		Owners: c.Owner, User: c.User, ClientKey: c.ClientKey,
		Fetch: func(ctx context.Context, owner string) (vaultstore.Stored, error) { return c.fetch(ctx, p, owner, 0) },
	}
	if c.Exec {
		plugin, err := c.plugin(p)
		if err != nil {
			return err
		}
		source.Plugin = &plugin
	}
	all := source.Get(ctx)
	delivery := credentials.Delivery{User: c.User, Merge: c.Merge, File: c.Kubeconfig, ContextName: c.ContextName, Exec: c.Exec, Complain: p.complain}
	out, err := delivery.Deliver(ctx, all)
	if err != nil {
		return err
	}
	if len(out) > 0 {
		if err := writeAll(p.stdout, out); err != nil {
			return err
		}
	}
	switch failed, refused := delivery.Failures(all); {
	case failed == 0:
		return nil
	case len(all) == 1:
		return all[0].Err
	case ctx.Err() != nil:
		return ctx.Err()
	case refused == len(all): // nothing was written
		return exitStatus(exitRefused)
	}
	return exitStatus(exitError)
}
