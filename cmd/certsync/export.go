package main

import (
	"cmp"
	"context"
	"errors"

	"github.com/certsync/certsync/cmd/certsync/internal/render"
	"github.com/certsync/certsync/cmd/certsync/internal/starter"
	"github.com/certsync/certsync/reconcile/export"
)

type exportCmd struct {
	clusterFlags `group:"Cluster and Vault:"`
	Owner        ownerName `placeholder:"NAME" help:"Owner of the inventory, instead of the kubeconfig's name for the cluster."`
}

// Help is shown below the flags.
func (exportCmd) Help() string {
	return `Prints an inventory with the users and groups that bindings name today, certsync's own or not: something to start from, and to read before it is applied. Needs the right to list bindings, and nothing of Vault.

  certsync export > found.yaml && certsync validate -f found.yaml

Exit codes: 0 done; 1 an error; 80 usage; 130 interrupted.`
}

// ownerName is the value of --owner.
type ownerName string

// UnmarshalText refuses text that no inventory can have as its owner.
func (o *ownerName) UnmarshalText(text []byte) error {
	if fault := starter.OwnerFault(string(text)); fault != "" {
		return errors.New(fault)
	}
	*o = ownerName(text)
	return nil
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
	return writeAll(p.stdout, render.Export(export.Bindings(owner, bindings), cluster.Name()))
}
