package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/version"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/preflight"
)

var (
	_ preflight.ClusterProbe   = (*Cluster)(nil)
	_ preflight.RequestDeleter = (*Issuer)(nil)
)

// Address is where certsync itself finds the API server.
func (c *Cluster) Address() string { return c.server }

// Version is the API server's, such as v1.36.3.
func (c *Cluster) Version(ctx context.Context) (string, error) {
	const doing = "asking for the API server's version"
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	text, err := c.client.Discovery().RESTClient().Get().AbsPath("/version").Do(ctx).Raw()
	if err != nil {
		return "", c.failed(doing, err)
	}
	var v version.Info
	if err := json.Unmarshal(text, &v); err != nil || v.GitVersion == "" {
		return "", reconcile.WithHint(fmt.Errorf("%s: %s does not answer as an API server does", doing, c.server),
			"is it the API server that you mean (--kubeconfig, --context)?")
	}
	return short(v.GitVersion), nil
}

// Serves reports whether the API server has a resource in a group and version, such as leases in coordination.k8s.io/v1.
func (c *Cluster) Serves(ctx context.Context, groupVersion, resource string) (bool, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	var all metav1.APIResourceList
	err := c.client.Discovery().RESTClient().Get().AbsPath("/apis/" + groupVersion).Do(ctx).Into(&all)
	switch {
	case apierrors.IsNotFound(err):
		return false, nil
	case err != nil:
		return false, c.failed("asking whether the API server has "+groupVersion, err)
	}
	return slices.ContainsFunc(all.APIResources, func(r metav1.APIResource) bool { return r.Name == resource }), nil
}

// Clock is the API server's time by its last answer, or false if none has told it.
func (c *Cluster) Clock() (time.Time, bool) { return c.clock.now() }

// LookAtLock reads an owner's Lease.
func (c *Cluster) LookAtLock(ctx context.Context, owner string) (preflight.LockView, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	lease, err := c.lease(ctx, owner)
	if err != nil || lease == nil {
		return preflight.LockView{}, err
	}
	v := preflight.LockView{Leased: true}
	if now, ok := c.clock.now(); ok {
		v.Taken = c.Locker(LockOptions{Owner: owner}).taken(lease, now)
	}
	v.Generation, err = c.generationOf(owner, lease)
	return v, err
}

// MayBind has the API server go through the creation of a binding up to where it would be stored: no review tells whether
// somebody may bind a role whose every rule they hold. It returns why not, or "".
func (c *Cluster) MayBind(ctx context.Context, b reconcile.Binding) (string, error) {
	w := c.Bindings()
	_, err := w.send(ctx, w.creation(b).Param("dryRun", metav1.DryRunAll))
	switch {
	case err == nil:
		return "", nil
	case apierrors.IsForbidden(err):
		return w.failed("trying to create "+b.Object(), b, err).Error(), nil
	}
	return "", w.failed("trying to create "+b.Object(), b, err)
}

// DeleteRequest deletes a request whose certificate nobody needs any more.
func (i *Issuer) DeleteRequest(ctx context.Context, ref reconcile.CSRRef) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(quiet(ctx)), discardTimeout)
	defer cancel()
	uid := types.UID(ref.UID)
	err := i.cluster.csrs().Delete(ctx, ref.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
	if err == nil || apierrors.IsNotFound(err) {
		return nil
	}
	return i.cluster.failed("deleting CertificateSigningRequest "+ref.Name, err)
}
