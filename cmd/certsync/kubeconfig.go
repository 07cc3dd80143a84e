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
	"github.com/certsync/certsync/vaultstore"
)

type kubeconfigCmd struct {
	Owner []string `required:"" placeholder:"NAME" help:"Owner of the inventory that lists you."`
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
	c.warnOfExpired(p, all)
	out, err := c.output(ctx, p, all)
	if err != nil {
		return err
	}
	if len(out) > 0 {
		if err := writeAll(p.stdout, out); err != nil {
			return err
		}
	}
	return p.failedOwners(ctx, all)
}

func (c kubeconfigCmd) warnOfExpired(p program, all []credentials.Kubeconfig) {
	for _, one := range all {
		if one.Err == nil && !time.Now().Before(one.Until) {
			p.complain(one.Named(reconcile.WithHint(fmt.Errorf("the certificate of %q expired at %s", c.User, reconcile.TimeText(one.Until)),
				"ask the administrator of certsync to run certsync apply, which renews it"), len(all)))
		}
	}
}

// output merges what was fetched, or makes one kubeconfig of it, and returns the text to print.
func (c kubeconfigCmd) output(ctx context.Context, p program, all []credentials.Kubeconfig) ([]byte, error) {
	if !c.Merge {
		return credentials.Join(c.ContextName, all)
	}
	if err := credentials.Merge(ctx, c.Kubeconfig, c.ContextName, all); err != nil {
		return nil, err
	}
	var merges []render.MergeResult
	for _, one := range all {
		done := one.Merged
		if one.Err != nil {
			continue
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
		if !c.Exec && time.Now().Before(one.Until) {
			merge.Until = one.Until
		}
		merges = append(merges, merge)
	}
	return render.Merge(merges...), nil
}

// failedOwners returns the error of the only owner. Of several, it prints which have failed: the others are done.
func (p program) failedOwners(ctx context.Context, all []credentials.Kubeconfig) error {
	if len(all) == 1 {
		return all[0].Err
	}
	failed, refused := 0, 0
	for _, one := range all {
		if one.Err == nil {
			continue
		}
		if failed++; errors.As(one.Err, new(reconcile.Refused)) {
			refused++
		}
		p.complain(one.Named(one.Err, len(all)))
	}
	switch {
	case failed == 0:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case refused == len(all): // nothing was written
		return exitStatus(exitRefused)
	}
	return exitStatus(exitError)
}
