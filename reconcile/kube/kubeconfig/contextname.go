package kubeconfig

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/certsync/certsync/reconcile"
)

// WithContext returns a kubeconfig that Writer wrote, with another name for its context. Two users of one cluster need two
// names in one file.
func WithContext(kubeconfig reconcile.Secret, name string) (reconcile.Secret, error) {
	config, err := parseUserConfig(kubeconfig)
	if err != nil {
		return reconcile.Secret{}, err
	}
	data, err := clientcmd.Write(*renamed(config, name))
	if err != nil {
		return reconcile.Secret{}, fmt.Errorf("writing the kubeconfig: %w", err)
	}
	return reconcile.NewSecret(data), nil
}

// ContextName returns the name of the only context in a user's kubeconfig.
func ContextName(kubeconfig reconcile.Secret) (string, error) {
	config, err := parseUserConfig(kubeconfig)
	if err != nil {
		return "", err
	}
	return config.CurrentContext, nil
}

// Join returns one kubeconfig with the entries of several, whose contexts have different names. The first context is the current one.
func Join(kubeconfigs []reconcile.Secret) (reconcile.Secret, error) {
	all := clientcmdapi.NewConfig()
	for i, k := range kubeconfigs {
		config, err := parseUserConfig(k)
		if err != nil {
			return reconcile.Secret{}, err
		}
		maps.Copy(all.Clusters, config.Clusters)
		maps.Copy(all.AuthInfos, config.AuthInfos)
		maps.Copy(all.Contexts, config.Contexts)
		if i == 0 {
			all.CurrentContext = config.CurrentContext
		}
	}
	data, err := clientcmd.Write(*all)
	if err != nil {
		return reconcile.Secret{}, fmt.Errorf("writing the kubeconfig: %w", err)
	}
	return reconcile.NewSecret(data), nil
}

// renamed returns a copy of ours with another name for its context.
func renamed(ours *clientcmdapi.Config, name string) *clientcmdapi.Config {
	config := ours.DeepCopy()
	config.Contexts = map[string]*clientcmdapi.Context{name: config.Contexts[config.CurrentContext]}
	config.CurrentContext = name
	return config
}

// named returns ours with the name that its context has in these files: name, if it is not empty. Otherwise a context of the same
// user and cluster keeps the name that its user gave it with --context-name or with kubectl config rename-context. Of
// several, the one with the usual name counts, then the current one.
func (f userFiles) named(ours *clientcmdapi.Config, name string) *clientcmdapi.Config {
	if name != "" {
		return renamed(ours, name)
	}
	context := ours.Contexts[ours.CurrentContext]
	var same []string
	for key, c := range f.whole.Contexts {
		if c.Cluster == context.Cluster && c.AuthInfo == context.AuthInfo {
			same = append(same, key)
		}
	}
	switch {
	case len(same) == 0, slices.Contains(same, ours.CurrentContext):
		return ours
	case slices.Contains(same, f.whole.CurrentContext):
		return renamed(ours, f.whole.CurrentContext)
	}
	return renamed(ours, slices.Min(same))
}
