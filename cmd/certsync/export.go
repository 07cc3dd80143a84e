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
	Owner        ownerName `placeholder:"NAME" help:"Owner in the printed inventory (default: made from the kubeconfig's cluster name)."`
}

// Help is shown below the flags.
func (exportCmd) Help() string {
	return `Reads all bindings of the cluster and prints an inventory with the users and groups in them. It is a starting point: read and edit it before you apply it. It needs the right to list bindings, and no Vault. It writes nothing.

  certsync export > found.yaml && certsync validate -f found.yaml

` + exitLine(anError(), exitOK, exitError, exitUsage, exitInterrupted)
}

// ownerName is the value of --owner.
type ownerName string

// UnmarshalText returns an error for text that is not a valid owner.
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
