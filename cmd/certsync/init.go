package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/certsync/certsync/cmd/certsync/internal/flagvalue"
	"github.com/certsync/certsync/cmd/certsync/internal/nextstep"
	"github.com/certsync/certsync/cmd/certsync/internal/prompt"
	"github.com/certsync/certsync/cmd/certsync/internal/render"
	"github.com/certsync/certsync/cmd/certsync/internal/starter"
	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/endpoint"
	"github.com/certsync/certsync/reconcile/kube"
	"github.com/certsync/certsync/vaultstore"
)

type initCmd struct {
	inventoryFlags
	Owner            flagvalue.Owner `placeholder:"NAME" env:"-" help:"Owner of the inventory (default: the kubeconfig's name for the cluster)."`
	Server           string          `placeholder:"URL" help:"Address of the API server as users reach it (default: the one in the kubeconfig)."`
	User             []string        `placeholder:"NAME" env:"-" help:"A user of the inventory. Repeatable."`
	clusterFlags     `group:"Cluster and Vault:"`
	vaultFolderFlags `group:"Cluster and Vault:"`
}

// Help is shown below the flags.
func (initCmd) Help() string {
	return `Writes an inventory with a comment for each field. It reads the kubeconfig, and checks that the cluster and Vault answer. If the kubeconfig names a credential plugin, it runs that, as kubectl does. Neither server is required. It never replaces a file.

On a terminal, it asks for the owner, the server and the users that no flag gives. Without a terminal, it asks nothing. It does not read CERTSYNC_OWNER and CERTSYNC_USER, which may name another cluster's.

  certsync init
  certsync init --owner prod-eu --user alice@example.com --user bob
  certsync init -f clusters/prod-eu.yaml --context prod-eu

Exit codes: 0 done; 1 an error; 80 usage; 130 interrupted.`
}

// Validate is called by kong after parsing.
func (c initCmd) Validate() error {
	if c.File == "-" {
		return errors.New("--file: init writes a file, and cannot write to standard output")
	}
	for _, user := range c.User {
		if fault := starter.UserFault(user); fault != "" {
			return errors.New("--user: " + fault)
		}
	}
	if fault := (inventory.Cluster{Server: c.Server}).Fault(); fault != "" {
		return errors.New("--" + fault)
	}
	return nil
}

// Run writes the inventory.
func (c initCmd) Run(ctx context.Context, p program) error {
	if err := starter.CheckAbsent(c.File); err != nil {
		return err
	}
	servers := starter.Servers{
		Connect: func() (*kube.Cluster, error) { return c.cluster(p) }, Named: c.Kubeconfig != "" || c.Context != "",
		Vault: vaultstore.Options{Owner: "init", Mount: c.VaultMount, Prefix: c.VaultPrefix, UserAgent: userAgent()},
		Say:   p.stderr, Complain: p.complain,
	}
	cluster, proxy, err := servers.SeeCluster(ctx)
	if err != nil {
		return err
	}
	servers.SeeVault(ctx)
	n := starter.Inventory{
		Owner: cmp.Or(string(c.Owner), starter.OwnerFor(cluster.Name)), Cluster: cluster, Users: c.User, Schema: starter.SchemaBeside(c.File),
	}
	n.SetServer(cmp.Or(c.Server, cluster.Server))
	if isTerminal(p.stdin) && isTerminal(p.stderr) {
		given := starter.Given{Owner: c.Owner != "", Server: c.Server != "", Users: len(c.User) > 0}
		if err := n.Ask(ctx, prompt.Terminal{In: p.stdin, Out: p.stderr}, given); err != nil {
			return err
		}
	}
	if n.Owner == "" {
		p.complain(reconcile.WithHint(errors.New("--owner is required: no kubeconfig names a cluster"), "give --owner NAME, such as prod-eu"))
		return exitStatus(exitUsage)
	}
	if why := endpoint.Local(reconcile.Endpoint{Server: n.Cluster.Server, ProxyURL: proxy}, n.Cluster); why != "" {
		p.complain(reconcile.WithHint(fmt.Errorf("warning: the server %s is %s", n.Cluster.Server, why),
			"set cluster.server to an address that all users reach"))
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := n.Write(c.File); err != nil {
		return err
	}
	fmt.Fprintf(p.stderr, "certsync: wrote %s for owner %s\n", terminal.Clean(c.File), n.Owner)
	_, err = p.stderr.Write(render.NextSteps(nextstep.After(p.line, nextstep.Result{})))
	return err
}
