package kube

import (
	"fmt"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/certsync/certsync/reconcile"
)

var _ reconcile.KubeconfigWriter = KubeconfigWriter{}

// KubeconfigWriter renders kubeconfigs with all data inline.
type KubeconfigWriter struct{}

// Kubeconfig renders the kubeconfig of one user. Same inputs, same bytes. Without e.CA the cluster's certificate is
// checked against the system's roots. With the zero Secret it has no client-key-data: the user puts in what certsync never
// had.
func (KubeconfigWriter) Kubeconfig(e reconcile.Endpoint, user string, chain []byte, key reconcile.Secret) (reconcile.Secret, error) {
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
		auth.ClientKeyData = []byte("in the place of the user's") // without one nothing is usable; taken out again below
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
