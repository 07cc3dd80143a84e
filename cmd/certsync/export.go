package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/certsync/certsync/cmd/certsync/internal/flagvalue"
	"github.com/certsync/certsync/cmd/certsync/internal/generate"
	"github.com/certsync/certsync/cmd/certsync/internal/starter"
	"github.com/certsync/certsync/reconcile/export"
)

type exportCmd struct {
	clusterFlags `group:"Cluster and Vault:"`
	Owner        flagvalue.Owner    `placeholder:"NAME" env:"-" help:"Owner in the printed inventory (default: made from the kubeconfig's cluster name)."`
	ByLabel      flagvalue.LabelKey `placeholder:"KEY" help:"Join equal roles in all namespaces that have the same value of this label, and print a selector for them. Users who may label namespaces then give and take these roles."`
	jobFlags     `group:"Cluster and Vault:"`
	leaseFlags   `group:"Cluster and Vault:"`
}

// Help is shown below the flags.
func (exportCmd) Help() string {
	return `Reads all bindings of the cluster and prints an inventory with the users and groups in them. It is a starting point: read and edit it before you apply it. It needs the right to list bindings (with --by-label also namespaces), and no Vault. It writes nothing.

  certsync export > found.yaml && certsync validate -f found.yaml
  certsync export --by-label team

CERTSYNC_OWNER does not set --owner: it may name another cluster's inventory.
` + exitLine(anError(), exitOK, exitError, exitUsage, exitInterrupted)
}

// Run prints the inventory.
func (c exportCmd) Run(ctx context.Context, p program) error {
	cluster, err := c.cluster(p)
	if err != nil {
		return err
	}
	bindings, err := cluster.EveryBinding(ctx)
	if err != nil {
		return err
	}
	owner := cmp.Or(string(c.Owner), starter.OwnerFor(cluster.Name()), "my-owner")
	found := export.Bindings(owner, bindings)
	if c.ByLabel != "" {
		namespaces, _, err := cluster.Namespaces(ctx)
		if err != nil {
			return err
		}
		found.JoinByLabel(string(c.ByLabel), namespaces, c.Namespace, c.LockNamespace)
		if found.ByLabel == "" {
			p.complain(fmt.Errorf("warning: --by-label joins nothing: nobody has the same role in several namespaces with one value of label %q", c.ByLabel))
		}
	}
	return writeAll(p.stdout, generate.Export(found, cluster.Name()))
}
