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
	Refresh bool `help:"Ask Vault in any case, and replace what is in the cache."`
}

// Help is shown below the flags.
func (credentialCmd) Help() string {
	return `Prints a credential for kubectl, which runs this command by itself if the kubeconfig says so, and so gets its certificates from Vault. Have that written into yours, or write it yourself:

  certsync kubeconfig --owner=prod-eu --user=alice@example.com --merge --exec

  users:
  - name: alice@example.com@prod-eu
    user:
      exec:
        apiVersion: client.authentication.k8s.io/v1
        command: certsync
        args: [credential, --owner=prod-eu, --user=alice@example.com]
        interactiveMode: Never

It is kept in a file that nobody else can read, in the folder certsync of your cache folder, ~/.cache on Linux. For 5 minutes Vault is not asked again. A certificate is used until the last tenth of its life, even if Vault has a newer one: a program that gets another certificate loses its connections. One with other groups, another CA or another kind of key is used at once. While Vault is not available, what is in the file is used until the certificate ends. Only Vault's own refusal deletes the file: 403 for your token, or no credential at your path. To ask at once:

  certsync credential --owner=prod-eu --user=alice@example.com --refresh

Exit codes: 0 done; 1 an error; 80 usage; 130 interrupted.`
}

// Validate is called by kong after parsing.
func (c credentialCmd) Validate() error { return c.validate() }

// execInfo is the variable by which kubectl tells its plugins which versions of the API it understands.
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
			return c.fetch(ctx, p, timeout)
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
