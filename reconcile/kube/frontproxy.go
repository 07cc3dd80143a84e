package kube

import (
	"context"
	"encoding/json"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/api"
)

// FrontProxy reads which front proxies the API servers trust. They publish it in a ConfigMap, with their CAs for clients. A
// cluster without that ConfigMap, or without an entry in it, trusts none.
func (c *Cluster) FrontProxy(ctx context.Context) (reconcile.FrontProxy, error) {
	ctx, cancel := api.WithTimeout(ctx)
	defer cancel()
	published, err := c.server.Client.CoreV1().ConfigMaps(metav1.NamespaceSystem).
		Get(ctx, reconcile.AuthenticationConfigMap, metav1.GetOptions{})
	switch {
	case api.IsGone(err): // a proxy that answers 404 has not said that there is none
		return reconcile.FrontProxy{}, nil
	case err != nil:
		return reconcile.FrontProxy{}, c.server.Failed("reading ConfigMap "+metav1.NamespaceSystem+"/"+reconcile.AuthenticationConfigMap, err)
	}
	var names []string
	if json.Unmarshal([]byte(published.Data["requestheader-allowed-names"]), &names) != nil {
		names = nil // names that cannot be read exclude nobody
	}
	return reconcile.NewFrontProxy([]byte(published.Data["client-ca-file"]), []byte(published.Data["requestheader-client-ca-file"]),
		names, time.Now()), nil
}
