package kube

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/certsync/certsync/reconcile"
)

// conflicts says which entries of a kubeconfig, merged of its files as kubectl does, are called like those of ours and
// are something else. They are not overwritten: some of them are somebody's only way to a cluster.
func conflicts(has, ours *clientcmdapi.Config, explicit string) []string {
	var found []string
	kubectl := "kubectl config"
	if explicit != "" {
		kubectl += " " + reconcile.ShellQuote("--kubeconfig="+explicit)
	}
	refuse := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	name := ours.CurrentContext
	context := ours.Contexts[name]
	if c := has.Clusters[context.Cluster]; c != nil && !sameCluster(c, ours.Clusters[context.Cluster]) {
		refuse("cluster %q in %s is another one, at %s and with another CA (rename that entry in the file; or, if nobody needs it, %s delete-cluster %s; "+
			"or merge into another file with --kubeconfig FILE)",
			context.Cluster, c.LocationOfOrigin, redacted(c.Server), kubectl, argument(context.Cluster))
	}
	if u := has.AuthInfos[context.AuthInfo]; u != nil && !sameUser(u, context.AuthInfo, context.Cluster) {
		refuse("user %q in %s logs in with something other than certsync's certificate (%s delete-user %s)",
			context.AuthInfo, u.LocationOfOrigin, kubectl, argument(context.AuthInfo))
	}
	if c := has.Contexts[name]; c != nil && (c.Cluster != context.Cluster || c.AuthInfo != context.AuthInfo) {
		refuse("context %q in %s is of user %q on cluster %q (%s rename-context %s %s)",
			name, c.LocationOfOrigin, c.AuthInfo, c.Cluster, kubectl, argument(name), reconcile.ShellQuote(name+"-old"))
	}
	return found
}

// sameCluster reports whether two entries lead to one cluster: to one address, or to one CA. A cluster moves, or gets a new
// CA, but not both at once.
func sameCluster(has, ours *clientcmdapi.Cluster) bool {
	if address(has.Server) == address(ours.Server) {
		return true
	}
	hasCA, oursCA := authority(has), authority(ours)
	return len(oursCA) > 0 && slices.Equal(hasCA, oursCA)
}

// address takes away what two spellings of one server's URL may differ in.
func address(server string) string {
	u, err := url.Parse(strings.ToLower(server))
	if err != nil {
		return server
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return u.Scheme + "://" + u.Hostname() + ":" + port + strings.TrimSuffix(u.Path, "/")
}

func redacted(server string) string {
	u, err := url.Parse(server)
	if err != nil {
		return "its address"
	}
	return u.Redacted()
}

// authority is what an entry has for a CA: the certificates, sorted. A file that cannot be read is none.
func authority(c *clientcmdapi.Cluster) []string {
	text := c.CertificateAuthorityData
	if len(text) == 0 && c.CertificateAuthority != "" {
		path := c.CertificateAuthority
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(c.LocationOfOrigin), path)
		}
		text, _ = os.ReadFile(path)
	}
	var found []string
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			found = append(found, string(block.Bytes))
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// sameUser reports whether an entry was one of certsync's for this user: the plugin, or a certificate in the name with which
// the entry's begins.
func sameUser(has *clientcmdapi.AuthInfo, login, cluster string) bool {
	if has.Exec != nil {
		return slices.Contains(has.Exec.Args, pluginCommand)
	}
	return certifiedName(has.ClientCertificateData)+"@"+cluster == login
}

// certifiedName is the CN of a chain's first certificate, or nothing.
func certifiedName(chain []byte) string {
	block, _ := pem.Decode(chain)
	if block == nil {
		return ""
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return ""
	}
	return cert.Subject.CommonName
}

// argument is a name as one of kubectl's arguments, and no flag.
func argument(name string) string {
	if strings.HasPrefix(name, "-") {
		return "-- " + reconcile.ShellQuote(name)
	}
	return reconcile.ShellQuote(name)
}
