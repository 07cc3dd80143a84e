// Package endpoint decides what users' kubeconfigs lead to: which address, CA and proxy of the cluster. It also compares
// endpoints by what they mean.
//
// Begin at Of, which joins what the inventory says with what the state records of certsync's own connection. Recorded chooses the latter.
// Changes are the reasons to reissue a kubeconfig, by comparison with what the ledger has from Ref. Complete refuses an endpoint that
// kubeconfigs cannot use. Differences and Local are for notes and warnings: another connection differs, or others cannot reach it.
package endpoint

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
)

// Of is what goes into users' kubeconfigs: what the inventory says, and otherwise what was recorded, see Recorded. A
// proxy or TLS name of certsync's own connection means nothing for another server.
func Of(want inventory.Cluster, recorded reconcile.Endpoint) reconcile.Endpoint {
	e := recorded
	if want.Server != "" && normalURL(want.Server) != normalURL(recorded.Server) {
		e.ProxyURL, e.TLSServerName = "", ""
	}
	e.Name = cmp.Or(want.Name, recorded.Name)
	e.Server = cmp.Or(want.Server, recorded.Server)
	e.ProxyURL = cmp.Or(want.ProxyURL, e.ProxyURL)
	e.TLSServerName = cmp.Or(want.TLSServerName, e.TLSServerName)
	if len(want.CertificateAuthority) > 0 {
		e.CA = want.CertificateAuthority
	}
	return e
}

// Recorded is what the state records of certsync's own connection: that of the first apply. Later connections only fill in
// what nobody knew: in a pod, a connection has neither a name nor an address for others.
func Recorded(want inventory.Cluster, recorded, own reconcile.Endpoint) reconcile.Endpoint {
	if recorded.Name == "" && recorded.Server == "" && len(recorded.CA) == 0 {
		return own
	}
	recorded.Name = cmp.Or(recorded.Name, own.Name)
	if recorded.Server == "" && want.Server == "" {
		own.Name = recorded.Name
		return own // an address and its CA belong together
	}
	return recorded
}

// Changes lists the reasons to reissue a kubeconfig: how e differs from the endpoint that it was made for. Addresses and CAs are
// compared by what they mean, see normalURL and caDigest.
func Changes(e reconcile.Endpoint, ref reconcile.KubeconfigRef) []reconcile.Reason {
	var reasons []reconcile.Reason
	if ref.CASHA256 != caDigest(e.CA) && ref.CASHA256 != textDigest(e.CA) { // records of version 1 have the text's
		reasons = append(reasons, reconcile.ClusterCAChanged)
	}
	if normalURL(ref.Server) != normalURL(e.Server) || normalURL(ref.ProxyURL) != normalURL(e.ProxyURL) || ref.TLSServerName != e.TLSServerName {
		reasons = append(reasons, reconcile.ServerChanged)
	}
	if ref.Cluster != e.Name {
		reasons = append(reasons, reconcile.ClusterNameChanged)
	}
	return reasons
}

// Differences says in which respects other, what somebody's connection says of the same cluster, differs from e, which users
// have: each as "server: from -> to". A field that other does not know is no difference.
func Differences(e reconcile.Endpoint, other reconcile.Endpoint) []string {
	var all []string
	for _, f := range []struct {
		key      string
		has, new string
		same     bool
	}{
		{"name", e.Name, other.Name, e.Name == other.Name},
		{"server", e.Server, other.Server, normalURL(e.Server) == normalURL(other.Server)},
		{"proxyURL", e.ProxyURL, other.ProxyURL, normalURL(e.ProxyURL) == normalURL(other.ProxyURL)},
		{"tlsServerName", e.TLSServerName, other.TLSServerName, e.TLSServerName == other.TLSServerName},
		{"certificateAuthority", shortCA(e.CA), shortCA(other.CA), caDigest(e.CA) == caDigest(other.CA)},
	} {
		unknown := f.new == "" && (f.key == "name" || f.key == "server" || other.Server == "")
		if !f.same && !unknown {
			all = append(all, fmt.Sprintf("%s: %q -> %q", f.key, reconcile.Shown(f.has), reconcile.Shown(f.new)))
		}
	}
	return all
}

// Local says why other people's machines may not reach e, of which the inventory states some, or its proxy; or "".
func Local(e reconcile.Endpoint, stated inventory.Cluster) string {
	if why := localHost(e.Server); why != "" {
		return why
	}
	if why := localHost(e.ProxyURL); why != "" {
		return fmt.Sprintf("through the proxy %s, %s", reconcile.Shown(e.ProxyURL), why)
	}
	if e.ProxyURL != "" && stated.ProxyURL == "" {
		return fmt.Sprintf("through %s, which is the proxy of your own kubeconfig", reconcile.Shown(e.ProxyURL))
	}
	return ""
}

// localHost says why the host of a URL means something on one machine, or in one network, alone, or "".
func localHost(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return ""
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	ip, _ := netip.ParseAddr(host)
	ends := func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return host == n || strings.HasSuffix(host, "."+n) })
	}
	switch ip = ip.Unmap(); {
	case ip.IsLoopback(), ip.IsUnspecified(), ends("localhost", "docker.internal", "minikube.internal", "k3d.internal", "containers.internal", "lima.internal"):
		return "an address that only this machine can reach"
	case ip.IsLinkLocalUnicast():
		return "an address that only this network segment can reach"
	case ends("kubernetes", "kubernetes.default", "svc", "cluster.local"), strings.HasPrefix(host, "kubernetes.default.svc."):
		return "a name that exists only inside the cluster"
	case ends("local"):
		return "a name that exists only in this network segment (mDNS)"
	}
	return ""
}

// normalURL is a URL as it is compared: letter case, the default port and a slash at the end make no difference.
func normalURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return text
	}
	scheme, port := strings.ToLower(u.Scheme), u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80", "socks5": "1080"}[scheme]
	}
	return scheme + "://" + u.User.String() + "@" + net.JoinHostPort(strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")), port) + strings.TrimRight(u.EscapedPath(), "/")
}

// caDigest identifies the certificates in a PEM bundle, hex: not their order, nor how often they are there, nor the text
// around them.
func caDigest(bundle []byte) string {
	var prints []string
	for block := range inventory.CertificateBlocks(bundle) {
		sum := sha256.Sum256(block.Bytes)
		prints = append(prints, string(sum[:]))
	}
	return textDigest([]byte(strings.Join(reconcile.SortedSet(prints), "")))
}

func textDigest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// shortCA names a bundle in a note.
func shortCA(bundle []byte) string {
	if len(bundle) == 0 {
		return ""
	}
	return "sha256:" + caDigest(bundle)[:16]
}

// Complete says what neither the inventory nor certsync's own connection knows, and users' kubeconfigs cannot do without,
// or cannot have. In a pod the former is both.
func Complete(e reconcile.Endpoint) error {
	var lacks, keys []string
	if e.Name == "" {
		lacks, keys = append(lacks, "a name for the cluster"), append(keys, "cluster.name")
	}
	if e.Server == "" {
		lacks, keys = append(lacks, "the API server's address as users reach it"), append(keys, "cluster.server")
	}
	if len(lacks) == 0 {
		// No user's certsync would take a kubeconfig with it.
		if fault := e.Fault(); fault != "" {
			return reconcile.WithHint(fmt.Errorf("users' kubeconfigs cannot use a value of certsync's own connection: cluster.%s", fault),
				"set that field in the inventory")
		}
		return nil
	}
	return reconcile.WithHint(fmt.Errorf("users' kubeconfigs need %s, which certsync's own connection does not have", strings.Join(lacks, " and ")),
		fmt.Sprintf("set %s in the inventory", strings.Join(keys, " and ")))
}

// CompleteInAPod is an error, with a hint, for an inventory that lacks what certsync's own connection does not tell in a
// pod.
func CompleteInAPod(c inventory.Cluster) error { return Complete(Of(c, reconcile.Endpoint{})) }

// Ref is what the ledger says about kubeconfigs made for e.
func Ref(e reconcile.Endpoint) reconcile.KubeconfigRef {
	return reconcile.KubeconfigRef{
		Cluster: e.Name, Server: e.Server, CASHA256: caDigest(e.CA),
		ProxyURL: e.ProxyURL, TLSServerName: e.TLSServerName,
	}
}
