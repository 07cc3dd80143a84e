package kube

import (
	"fmt"
	"net/url"

	"k8s.io/client-go/rest"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/inventory/files"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/admission"
	"github.com/certsync/certsync/reconcile/kube/api"
	"github.com/certsync/certsync/reconcile/kube/csr"
	"github.com/certsync/certsync/reconcile/kube/lease"
)

// Cluster is a connection to a cluster. Its own methods write nothing. Bindings, Issuer, Locker and Events return the
// objects that write.
type Cluster struct {
	config *rest.Config
	entry  kubeconfigEntry
	server *api.Server
	leases *lease.Client
	shared bool // see Options
}

func newCluster(config *rest.Config, address string, entry kubeconfigEntry, lockNamespace string) (*Cluster, error) {
	server, err := api.New(config, address)
	if err != nil {
		return nil, err
	}
	return &Cluster{config: config, entry: entry, server: server, leases: lease.New(server, lockNamespace)}, nil
}

// Issuer returns an Issuer of certificates, which the caller closes. It sends nothing before the first Issue.
func (c *Cluster) Issuer(o csr.Options) *csr.Issuer { return csr.New(c.server, o) }

// Policies returns the writer of owners' admission policies for revoked certificates. It sends nothing.
func (c *Cluster) Policies() admission.Policies { return admission.NewPolicies(c.server) }

// Locker returns the Locker of an owner's lock. It sends nothing before Acquire.
func (c *Cluster) Locker(o lease.Options) *lease.Locker { return c.leases.Locker(o) }

// Events returns the Events of a run. It sends nothing before Write.
func (c *Cluster) Events(owner, runID string) *lease.Events { return c.leases.Events(owner, runID) }

// Endpoint returns how users reach the cluster: as certsync itself does. In a pod it has no server, since the address that
// a pod uses does not work from outside. Endpoint reads the CA each time, because the file of a pod's service account
// changes with the cluster's CA.
func (c *Cluster) Endpoint() (reconcile.Endpoint, error) {
	ca := c.config.CAData
	if len(ca) == 0 && c.config.CAFile != "" {
		var err error
		if ca, err = files.ReadCA(c.config.CAFile); err != nil {
			return reconcile.Endpoint{}, fmt.Errorf("reading the cluster's CA: %w", err)
		}
	}
	server := c.server.Address
	if c.entry.inPod {
		server = ""
	}
	return reconcile.Endpoint{
		Name:          c.entry.name,
		Server:        server,
		CA:            certificates(ca),
		ProxyURL:      withoutUser(c.entry.proxyURL),
		TLSServerName: c.config.ServerName,
	}, nil
}

// Name returns the cluster's name in the kubeconfig. In a pod it is empty.
func (c *Cluster) Name() string { return c.entry.name }

// certificates returns the certificates of a PEM file, each in its canonical form. The file may also hold text, or a key,
// that is not meant for users. A line break more at its end must not look like another CA.
func certificates(data []byte) []byte {
	var bundle []byte
	for block := range inventory.CertificateBlocks(data) {
		bundle = append(bundle, inventory.CertificatePEM(block.Bytes)...)
	}
	return bundle
}

// withoutUser returns a proxy's URL without its user and password. They are certsync's, and endpoints go into users'
// kubeconfigs.
func withoutUser(proxy string) string {
	u, err := url.Parse(proxy)
	if err != nil {
		return ""
	}
	u.User = nil
	return u.String()
}
