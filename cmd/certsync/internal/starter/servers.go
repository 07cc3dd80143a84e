package starter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/certsync/certsync/cmd/certsync/internal/terminal"
	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube"
	"github.com/certsync/certsync/vaultstore"
)

// Servers are where init looks for a cluster and for Vault.
type Servers struct {
	Connect  func() (*kube.Cluster, error)
	Named    bool // a flag names the kubeconfig or the context
	Vault    vaultstore.Options
	Say      io.Writer // what answers
	Complain func(error)
}

// firstAnswer is how long init waits for the cluster, and for Vault.
const firstAnswer = 10 * time.Second

// SeeCluster returns what the kubeconfig says of the cluster, and reports whether the cluster answers. Only a kubeconfig or
// context that a flag names must exist.
//
// proxy is the one of certsync's own connection, which users may need or not.
func (s Servers) SeeCluster(ctx context.Context) (seen inventory.Cluster, proxy string, err error) {
	cluster, err := s.Connect()
	if err != nil {
		if s.Named {
			return inventory.Cluster{}, "", err
		}
		s.unseen("the cluster", err)
		return inventory.Cluster{}, "", nil
	}
	e, err := cluster.Endpoint()
	if err != nil {
		s.unseen("the cluster", err)
	}
	limited, cancel := context.WithTimeout(ctx, firstAnswer)
	defer cancel()
	if version, err := cluster.Version(limited); ctx.Err() != nil {
		return inventory.Cluster{}, "", ctx.Err() // interrupted: init does not go on
	} else if err != nil {
		s.unseen("the cluster", err)
	} else {
		fmt.Fprintf(s.Say, "certsync: Kubernetes %s answers at %s\n", terminal.Clean(version), cluster.Address())
	}
	seen = inventory.Cluster{Name: e.Name, Server: e.Server, TLSServerName: e.TLSServerName, CertificateAuthority: e.CA}
	if fault := (inventory.Cluster{Name: seen.Name}).Fault(); fault != "" {
		s.unseen("the cluster's name", errors.New("cluster."+fault))
		seen.Name = ""
	}
	if fault := seen.Fault(); fault != "" {
		s.unseen("the cluster", errors.New("cluster."+fault))
		return inventory.Cluster{}, "", ctx.Err()
	}
	return seen, e.ProxyURL, ctx.Err()
}

// SeeVault reports whether Vault has the mount.
func (s Servers) SeeVault(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, firstAnswer)
	defer cancel()
	o := s.Vault
	o.Patience = firstAnswer
	store, err := vaultstore.Open(limited, o)
	if err != nil {
		if ctx.Err() == nil { // else it was interrupted, and init does not go on
			s.unseen("Vault", err)
		}
		return
	}
	if err := store.Close(ctx); err != nil {
		s.Complain(err)
	}
	fmt.Fprintf(s.Say, "certsync: Vault has a KV version 2 secrets engine at %s/\n", strings.Trim(s.Vault.Mount, "/"))
}

// unseen reports that init goes on without a server.
func (s Servers) unseen(server string, err error) {
	s.Complain(reconcile.WithHint(fmt.Errorf("going on without %s: %w", server, err), reconcile.Hint(err)))
}
