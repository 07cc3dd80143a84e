package kubeconfig

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/inventory/files"
	"github.com/certsync/certsync/inventory/shell"
	"github.com/certsync/certsync/reconcile"
)

// conflicts lists the entries that a merge must not overwrite. They have the names of ours, but are not certsync's, or other
// contexts use them too. Such an entry can be the only access to a cluster. And kubectl sends tokens to the server in a
// cluster's entry.
func (f userFiles) conflicts(ours *clientcmdapi.Config, explicit string) []string {
	has := f.whole
	var found []string
	kubectl := "kubectl config"
	if explicit != "" {
		kubectl += " " + shell.Quote("--kubeconfig="+explicit)
	}
	refuse := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	name := ours.CurrentContext
	context := ours.Contexts[name]
	if c := has.Clusters[context.Cluster]; c != nil && !sameCluster(c, ours.Clusters[context.Cluster]) {
		at := redacted(c.Server)
		if theirs, mine := redacted(c.ProxyURL), ours.Clusters[context.Cluster].ProxyURL; theirs != "" {
			at += " by proxy " + theirs
		} else if mine != "" {
			at += " without a proxy"
		}
		refuse("cluster %q in %s is another one, at %s and with another CA (rename that entry in the file; or, if nobody needs it, %s delete-cluster %s; or "+elsewhereFile+")",
			context.Cluster, c.LocationOfOrigin, at, kubectl, argument(context.Cluster))
	} else if conflict := f.clusterConflict(ours, kubectl); conflict != "" {
		refuse("%s", conflict)
	}
	if u := has.AuthInfos[context.AuthInfo]; u != nil && !sameUser(u, context.AuthInfo, context.Cluster) {
		refuse("user %q in %s logs in with something other than certsync's certificate (%s delete-user %s)",
			context.AuthInfo, u.LocationOfOrigin, kubectl, argument(context.AuthInfo))
	} else if conflict := f.userConflict(ours, kubectl); conflict != "" {
		refuse("%s", conflict)
	}
	if c := has.Contexts[name]; c != nil && (c.Cluster != context.Cluster || c.AuthInfo != context.AuthInfo) {
		refuse("context %q in %s is of user %q on cluster %q (give yours another name with --context-name NAME; or %s rename-context %s %s)",
			name, c.LocationOfOrigin, c.AuthInfo, c.Cluster, kubectl, argument(name), shell.Quote(name+"-old"))
	}
	return found
}

// sameCluster reports whether two entries are for the same cluster: at the same address, or with the same CA. A cluster moves,
// or gets a new CA, but not both at once. An attacker who wants to read the traffic needs a new proxy and a new CA.
func sameCluster(has, ours *clientcmdapi.Cluster) bool {
	if address(has.Server) == address(ours.Server) && address(has.ProxyURL) == address(ours.ProxyURL) {
		return true
	}
	hasCA, oursCA := authority(has), authority(ours)
	return len(oursCA) > 0 && slices.Equal(hasCA, oursCA)
}

// address returns the URL of a server or proxy in one spelling: lower case, with a port, without a slash at the end.
func address(server string) string {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" {
		return server
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	u.Host = net.JoinHostPort(strings.ToLower(u.Hostname()), port)
	u.Path, u.RawPath = strings.TrimSuffix(u.Path, "/"), strings.TrimSuffix(u.RawPath, "/")
	return u.String() // which has the scheme in lower case
}

// redacted returns a URL without its password.
func redacted(server string) string {
	u, err := url.Parse(server)
	if err != nil {
		return "its address"
	}
	return u.Redacted()
}

// authority returns the certificates of an entry's CA, sorted, or nothing if clients use the roots of their system. For a text
// without certificates it returns the text, and for a file that cannot be read its name: they differ from any other CA.
func authority(c *clientcmdapi.Cluster) []string {
	text := c.CertificateAuthorityData
	if len(text) == 0 && c.CertificateAuthority != "" {
		path := c.CertificateAuthority
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(c.LocationOfOrigin), path)
		}
		var err error
		if text, err = files.ReadCA(path); err != nil {
			return []string{path}
		}
	}
	var found []string
	for block := range inventory.CertificateBlocks(text) {
		if len(block.Headers) == 0 { // client-go ignores others
			found = append(found, string(block.Bytes))
		}
	}
	if len(found) == 0 && (len(text) > 0 || c.CertificateAuthority != "") {
		return []string{string(text)}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// sameUser reports whether certsync made a user's entry: it has the plugin, or a certificate for the name with which the
// entry's name begins.
func sameUser(has *clientcmdapi.AuthInfo, login, cluster string) bool {
	if has.Exec != nil {
		args := has.Exec.Args
		return len(args) > 0 && args[0] == pluginCommand && !slices.ContainsFunc(args, func(arg string) bool {
			user, found := strings.CutPrefix(arg, "--user=")
			return found && user+"@"+cluster != login
		})
	}
	person, _ := reconcile.Person(certifiedName(has.ClientCertificateData))
	return person+"@"+cluster == login
}

// certifiedName returns the CN of a chain's first certificate, or "".
func certifiedName(chain []byte) string {
	cert, err := reconcile.ParseLeaf(chain)
	if err != nil {
		return ""
	}
	return cert.Subject.CommonName
}

// argument returns a name as an argument of kubectl that is not read as a flag.
func argument(name string) string {
	if strings.HasPrefix(name, "-") {
		return "-- " + shell.Quote(name)
	}
	return shell.Quote(name)
}
