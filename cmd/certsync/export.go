package main

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/certsync/certsync/cmd/certsync/internal/render"
	"github.com/certsync/certsync/inventory"
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
	if !inventory.ValidOwner(string(text)) {
		return errors.New(ownerRule)
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
	owner := cmp.Or(string(c.Owner), legalOwner(cluster.Name()), "my-owner")
	return writeAll(p.stdout, render.Export(export.Bindings(owner, bindings), cluster.Name()))
}

// legalOwner makes an owner from a cluster's name, or returns "". From arn:aws:eks:eu-west-1:1234:cluster/prod it takes prod.
func legalOwner(cluster string) string {
	last := cluster[strings.LastIndexAny(cluster, "/:")+1:]
	legal := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(last))
	legal = strings.Trim(legal[:min(len(legal), 40)], "-")
	if !inventory.ValidOwner(legal) {
		return ""
	}
	return legal
}
