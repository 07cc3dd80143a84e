package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/api"
	"github.com/certsync/certsync/reconcile/preflight"
)

var _ preflight.ClusterProbe = (*Cluster)(nil)

// Address returns the URL at which certsync itself finds the API server.
func (c *Cluster) Address() string { return c.server.Address }

// Version returns the API server's version, such as v1.36.3.
func (c *Cluster) Version(ctx context.Context) (string, error) {
	const doing = "asking for the API server's version"
	ctx, cancel := api.WithTimeout(ctx)
	defer cancel()
	text, err := c.server.Client.Discovery().RESTClient().Get().AbsPath("/version").Do(ctx).Raw()
	if err != nil {
		return "", c.server.Failed(doing, err)
	}
	var v version.Info
	if err := json.Unmarshal(text, &v); err != nil || v.GitVersion == "" {
		return "", reconcile.WithHint(fmt.Errorf("%s: %s does not answer as an API server does", doing, c.server.Address),
			"check that --kubeconfig and --context name the right API server")
	}
	return api.Shorten(v.GitVersion), nil
}

// Serves reports whether the API server has a resource in a group and version, such as leases in coordination.k8s.io/v1.
func (c *Cluster) Serves(ctx context.Context, groupVersion, resource string) (bool, error) {
	ctx, cancel := api.WithTimeout(ctx)
	defer cancel()
	var all metav1.APIResourceList
	err := c.server.Client.Discovery().RESTClient().Get().AbsPath("/apis/" + groupVersion).Do(ctx).Into(&all)
	switch {
	case apierrors.IsNotFound(err):
		return false, nil
	case err != nil:
		return false, c.server.Failed("asking whether the API server has "+groupVersion, err)
	}
	return slices.ContainsFunc(all.APIResources, func(r metav1.APIResource) bool { return r.Name == resource }), nil
}

// Clock returns the API server's time by its last answer, or false if no answer has told it.
func (c *Cluster) Clock() (time.Time, bool) { return c.server.Clock.Now() }

// LookAtLock reads the state of an owner's lock.
func (c *Cluster) LookAtLock(ctx context.Context, owner string) (preflight.LockView, error) {
	return c.leases.View(ctx, owner)
}

// TryBinding has the API server go through creating a binding, by a dry run. An access review does not tell all: the API server
// allows a binding to somebody who holds every rule of its role, and a webhook, a policy or a quota can refuse it.
func (c *Cluster) TryBinding(ctx context.Context, b reconcile.Binding) error {
	w := c.Bindings()
	if _, err := w.send(ctx, w.creation(b).Param("dryRun", metav1.DryRunAll)); err != nil {
		return api.Tried(err, w.failed("trying to create "+b.Object(), b, err))
	}
	return nil
}

// TryLock has the API server go through taking an owner's lock, by a dry run.
func (c *Cluster) TryLock(ctx context.Context, owner string) error {
	return c.leases.Try(ctx, owner)
}
