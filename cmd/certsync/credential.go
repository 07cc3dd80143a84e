package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/certsync/certsync/cmd/certsync/internal/credentials"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/kubeconfig"
	"github.com/certsync/certsync/vaultstore"
)

type credentialCmd struct {
	credentialFlags
	clientKeyFlags
	Refresh bool `help:"Ask Vault even if the cache holds a valid credential, and replace that."`
}

// Help is shown below the flags.
func (credentialCmd) Help() string {
	return `Prints your certificate and key for kubectl. It reads them from Vault or from its cache. kubectl runs this command by itself if your kubeconfig names it as the exec plugin. Let certsync write that entry, or write it yourself:

  certsync kubeconfig --owner=prod-eu --user=alice@example.com --merge --exec

  users:
  - name: alice@example.com@prod-eu
    user:
      exec:
        apiVersion: client.authentication.k8s.io/v1
        command: certsync
        args: [credential, --owner=prod-eu, --user=alice@example.com]
        interactiveMode: Never

The cache is the folder certsync in your cache folder (~/.cache on Linux). Only you can read it. certsync asks Vault again after 5 minutes at the earliest. It uses a certificate until the last tenth of its lifetime, even if Vault has a newer one. A new certificate closes a program's connections. A certificate with other groups, another CA or another kind of key is used at once.

While Vault is not available, certsync uses the cached credential until its certificate expires. It deletes the cached credential only if Vault answers 403 or has no credential for you. To ask Vault now:

  certsync credential --owner=prod-eu --user=alice@example.com --refresh

` + exitLine(anError(), exitOK, exitError, exitUsage, exitInterrupted)
}

// Validate is called by kong after parsing.
func (c credentialCmd) Validate() error { return c.validate(c.Owner) }

// execInfo is the variable that tells kubectl's plugins which API version kubectl expects.
const execInfo = "KUBERNETES_EXEC_INFO"

// Run prints an ExecCredential.
func (c credentialCmd) Run(ctx context.Context, p program) error {
	if err := kubeconfig.CheckExecInfo(os.Getenv(execInfo)); err != nil {
		return err
	}
	place, err := c.options(c.Owner).Place(c.User)
	if err != nil {
		return err
	}
	cache, err := credentials.OpenCache(place)
	if err != nil {
		p.complain(err)
	}
	defer cache.Close()
	source := credentials.Source{
		User: c.User, Refresh: c.Refresh, Cache: cache, Now: time.Now,
		Fetch: func(ctx context.Context, timeout time.Duration) (vaultstore.Stored, error) {
			return c.fetch(ctx, p, c.Owner, timeout)
		},
		AddKey: func(stored reconcile.Credential) (reconcile.Credential, error) {
			return credentials.AddKey(c.User, stored, c.ClientKey)
		},
		Warn:   p.complain,
		Inform: func(text string) { fmt.Fprintf(p.stderr, "certsync: %s\n", text) },
	}
	credential, again, err := source.Get(ctx)
	if err != nil {
		return err
	}
	out, err := kubeconfig.ExecCredential(credential.Certificate, credential.Key, again)
	if err != nil {
		return err
	}
	return writeAll(p.stdout, out.Reveal())
}
