package e2e

import (
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// joinKubeconfigs writes a kubeconfig with the current context of each of several, under the name that it has here. It has no
// current context itself.
func joinKubeconfigs(t testing.TB, path string, kubeconfigs map[string][]byte) {
	t.Helper()
	all := clientcmdapi.NewConfig()
	for name, text := range kubeconfigs {
		one, err := clientcmd.Load(text)
		if err != nil {
			t.Fatal(err)
		}
		current := one.Contexts[one.CurrentContext]
		all.Clusters[name], all.AuthInfos[name] = one.Clusters[current.Cluster], one.AuthInfos[current.AuthInfo]
		all.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	}
	if err := clientcmd.WriteToFile(*all, path); err != nil {
		t.Fatal(err)
	}
}
