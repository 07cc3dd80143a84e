package reconcile

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/certsync/certsync/inventory"
)

// Endpoint is what goes into a kubeconfig to reach the cluster.
type Endpoint struct {
	Name          string // of the cluster and the context; empty: nobody gave it one
	Server        string // https URL; empty: certsync's own way is of no use to others
	CA            []byte // PEM; empty: the user's system roots
	ProxyURL      string
	TLSServerName string
}

// EndpointOf is what goes into users' kubeconfigs: what the inventory says, and otherwise what certsync itself uses. A
// proxy or TLS name of certsync's own connection means nothing for another server.
func EndpointOf(want inventory.Cluster, own Endpoint) Endpoint {
	e := own
	if want.Server != "" && want.Server != own.Server {
		e.ProxyURL, e.TLSServerName = "", ""
	}
	e.Name = cmp.Or(want.Name, own.Name)
	e.Server = cmp.Or(want.Server, own.Server)
	e.ProxyURL = cmp.Or(want.ProxyURL, e.ProxyURL)
	e.TLSServerName = cmp.Or(want.TLSServerName, e.TLSServerName)
	if len(want.CertificateAuthority) > 0 {
		e.CA = want.CertificateAuthority
	}
	return e
}

// Fault says what in e no inventory would hold, and so no kubeconfig of certsync's, or nothing. It repeats no URL.
func (e Endpoint) Fault() string {
	return inventory.Cluster{Name: e.Name, Server: e.Server, ProxyURL: e.ProxyURL, TLSServerName: e.TLSServerName}.Fault()
}

// Complete says what neither the inventory nor certsync's own connection knows, and users' kubeconfigs cannot do without,
// or cannot have. In a pod the former is both.
func (e Endpoint) Complete() error {
	var lacks, keys []string
	if e.Name == "" {
		lacks, keys = append(lacks, "a name for the cluster"), append(keys, "cluster.name")
	}
	if e.Server == "" {
		lacks, keys = append(lacks, "the API server's address as people reach it"), append(keys, "cluster.server")
	}
	if len(lacks) == 0 {
		// No user's certsync would take a kubeconfig with it.
		if fault := e.Fault(); fault != "" {
			return WithHint(fmt.Errorf("users' kubeconfigs cannot have what certsync's own connection has: cluster.%s", fault),
				"set that field in the inventory")
		}
		return nil
	}
	return WithHint(fmt.Errorf("users' kubeconfigs need %s, which certsync's own connection does not tell", strings.Join(lacks, " and ")),
		fmt.Sprintf("set %s in the inventory", strings.Join(keys, " and ")))
}

// CompleteInAPod is an error, with a hint, for an inventory that lacks what certsync's own connection does not tell in a
// pod.
func CompleteInAPod(c inventory.Cluster) error { return EndpointOf(c, Endpoint{}).Complete() }

// Ref is what the ledger says about kubeconfigs made for e.
func (e Endpoint) Ref() KubeconfigRef {
	sum := sha256.Sum256(e.CA)
	return KubeconfigRef{
		Cluster: e.Name, Server: e.Server, CASHA256: hex.EncodeToString(sum[:]),
		ProxyURL: e.ProxyURL, TLSServerName: e.TLSServerName,
	}
}
