package main

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/certsync/certsync/cmd/certsync/internal/render"
	"github.com/certsync/certsync/cmd/certsync/internal/starter"
	"github.com/certsync/certsync/inventory"
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
	owner := cmp.Or(string(c.Owner), legalOwner(cluster.Name()), "my-owner")
	return writeAll(p.stdout, render.Export(export.Bindings(owner, bindings), cluster.Name()))
}

// legalOwner makes an owner from a cluster's name, or returns "". Of arn:aws:eks:eu-west-1:1234:cluster/prod it takes prod.
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
