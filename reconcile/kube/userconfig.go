package kube

import (
	"errors"
	"fmt"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/certsync/certsync/reconcile"
)

// KubeconfigWithKey puts a user's key (PEM) into the kubeconfig of theirs that has none. Same inputs, same bytes. No error
// repeats anything of either.
func KubeconfigWithKey(kubeconfig, key reconcile.Secret) (reconcile.Secret, error) {
	return changeUser(kubeconfig, func(user *clientcmdapi.AuthInfo) { user.ClientKeyData = key.Reveal() })
}

// changeUser changes the only user of a kubeconfig that KubeconfigWriter has written.
func changeUser(kubeconfig reconcile.Secret, change func(*clientcmdapi.AuthInfo)) (reconcile.Secret, error) {
	config, err := parseUserConfig(kubeconfig)
	if err != nil {
		return reconcile.Secret{}, err
	}
	change(config.AuthInfos[config.Contexts[config.CurrentContext].AuthInfo])
	data, err := clientcmd.Write(*config)
	if err != nil {
		return reconcile.Secret{}, fmt.Errorf("writing the kubeconfig: %w", err)
	}
	return reconcile.NewSecret(data), nil
}

// parseUserConfig reads a kubeconfig with one cluster, one user and one context, which is the current one.
func parseUserConfig(kubeconfig reconcile.Secret) (*clientcmdapi.Config, error) {
	config, err := clientcmd.Load(kubeconfig.Reveal())
	if err == nil && len(config.Clusters) == 1 && len(config.AuthInfos) == 1 && len(config.Contexts) == 1 {
		context := config.Contexts[config.CurrentContext]
		if context != nil && config.Clusters[context.Cluster] != nil && config.AuthInfos[context.AuthInfo] != nil {
			return config, nil
		}
	}
	// err may quote from it.
	return nil, reconcile.WithHint(errors.New("reading the kubeconfig in Vault: it is not one of certsync's"),
		"tell whoever runs certsync: somebody else wrote there, and the next apply says so")
}
