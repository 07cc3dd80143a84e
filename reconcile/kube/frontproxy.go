package kube

import (
	"context"
	"encoding/json"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certsync/certsync/reconcile"
)

// FrontProxy reads whom the API servers trust as a front proxy, from where they publish it together with their CAs for
// clients. A cluster that has no such ConfigMap, or nothing of it there, trusts nobody so.
func (c *Cluster) FrontProxy(ctx context.Context) (reconcile.FrontProxy, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	published, err := c.client.CoreV1().ConfigMaps(metav1.NamespaceSystem).
		Get(ctx, reconcile.AuthenticationConfigMap, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return reconcile.FrontProxy{}, nil
	case err != nil:
		return reconcile.FrontProxy{}, c.failed("reading ConfigMap "+metav1.NamespaceSystem+"/"+reconcile.AuthenticationConfigMap, err)
	}
	var names []string
	if json.Unmarshal([]byte(published.Data["requestheader-allowed-names"]), &names) != nil {
		names = nil // what cannot be read keeps nobody out
	}
	return reconcile.NewFrontProxy([]byte(published.Data["client-ca-file"]), []byte(published.Data["requestheader-client-ca-file"]),
		names, time.Now()), nil
}
