package kubeconfig

import (
	"fmt"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/certsync/certsync/reconcile"
)

var _ reconcile.KubeconfigWriter = Writer{}

// Writer writes kubeconfigs with all data inline.
type Writer struct{}

// Kubeconfig returns the kubeconfig of one user. The same inputs give the same bytes. Without e.CA, clients check the API
// server's certificate against the roots of their system. With the zero Secret it has no client-key-data: the key is the
// user's own, and the user adds it.
func (Writer) Kubeconfig(e reconcile.Endpoint, user string, chain []byte, key reconcile.Secret) (reconcile.Secret, error) {
	doing := fmt.Sprintf("writing the kubeconfig of %q", user)
	if e.Name == "" {
		return reconcile.Secret{}, fmt.Errorf("%s: the cluster has no name", doing)
	}
	login := user + "@" + e.Name
	config := clientcmdapi.NewConfig()
	config.Clusters[e.Name] = &clientcmdapi.Cluster{
		Server:                   e.Server,
		CertificateAuthorityData: e.CA,
		ProxyURL:                 e.ProxyURL,
		TLSServerName:            e.TLSServerName,
	}
	auth := &clientcmdapi.AuthInfo{ClientCertificateData: chain, ClientKeyData: key.Reveal()}
	keyless := auth.ClientKeyData == nil
	if keyless {
		auth.ClientKeyData = []byte("in the place of the user's") // ConfirmUsable requires a key; it is removed below
	}
	config.AuthInfos[login] = auth
	config.Contexts[e.Name] = &clientcmdapi.Context{Cluster: e.Name, AuthInfo: login}
	config.CurrentContext = e.Name
	if err := clientcmd.ConfirmUsable(*config, e.Name); err != nil {
		return reconcile.Secret{}, fmt.Errorf("%s: %w", doing, err)
	}
	if keyless {
		auth.ClientKeyData = nil
	}
	data, err := clientcmd.Write(*config)
	if err != nil {
		return reconcile.Secret{}, fmt.Errorf("%s: %w", doing, err)
	}
	return reconcile.NewSecret(data), nil
}
