package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/certsync/certsync/reconcile"
)

var _ reconcile.BindingWriter = (*Bindings)(nil)

// Bindings changes ClusterRoleBindings and RoleBindings.
type Bindings struct{ cluster *Cluster }

// Bindings returns the writer of the cluster's bindings.
func (c *Cluster) Bindings() *Bindings { return &Bindings{c} }

// CreateBinding creates b with its labels. A name that is taken is ErrPrecondition.
func (w *Bindings) CreateBinding(ctx context.Context, b reconcile.Binding) (reconcile.Binding, error) {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	doing := "creating " + b.Object()
	if b.Kind == reconcile.RoleBinding {
		made, err := w.cluster.client.RbacV1().RoleBindings(b.Namespace).Create(ctx, toRoleBinding(b), metav1.CreateOptions{})
		if err != nil {
			return reconcile.Binding{}, w.failed(doing, b, err)
		}
		return fromRoleBinding(made), nil
	}
	made, err := w.cluster.client.RbacV1().ClusterRoleBindings().Create(ctx, toClusterRoleBinding(b), metav1.CreateOptions{})
	if err != nil {
		return reconcile.Binding{}, w.failed(doing, b, err)
	}
	return fromClusterRoleBinding(made), nil
}

// subjectsPatch is a JSON merge patch. The API server refuses it when the object is not at that resourceVersion; an
// object made anew under the same name never is, and has another uid besides.
type subjectsPatch struct {
	Metadata struct {
		UID             string `json:"uid"`
		ResourceVersion string `json:"resourceVersion"`
	} `json:"metadata"`
	Subjects []rbacv1.Subject `json:"subjects"`
}

// UpdateBinding replaces the subjects and nothing else of the binding, if it is still as observed. One that is gone is
// ErrPrecondition.
func (w *Bindings) UpdateBinding(ctx context.Context, b reconcile.Binding) (reconcile.Binding, error) {
	doing := "updating " + b.Object()
	if err := observed(b); err != nil {
		return reconcile.Binding{}, fmt.Errorf("%s: %w", doing, err)
	}
	p := subjectsPatch{Subjects: toSubjects(b)}
	p.Metadata.UID, p.Metadata.ResourceVersion = b.UID, b.ResourceVersion
	patch, err := json.Marshal(p)
	if err != nil {
		return reconcile.Binding{}, fmt.Errorf("%s: %w", doing, err)
	}
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	if b.Kind == reconcile.RoleBinding {
		made, err := w.cluster.client.RbacV1().RoleBindings(b.Namespace).Patch(ctx, b.Name, types.MergePatchType, patch, metav1.PatchOptions{})
		if err != nil {
			return reconcile.Binding{}, w.failed(doing, b, err)
		}
		return fromRoleBinding(made), nil
	}
	made, err := w.cluster.client.RbacV1().ClusterRoleBindings().Patch(ctx, b.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	if err != nil {
		return reconcile.Binding{}, w.failed(doing, b, err)
	}
	return fromClusterRoleBinding(made), nil
}

// DeleteBinding deletes the binding if it is still as observed. One that is gone is as it should be.
func (w *Bindings) DeleteBinding(ctx context.Context, b reconcile.Binding) error {
	doing := "deleting " + b.Object()
	if err := observed(b); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	uid := types.UID(b.UID)
	o := metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid, ResourceVersion: &b.ResourceVersion}}
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	var err error
	if b.Kind == reconcile.RoleBinding {
		err = w.cluster.client.RbacV1().RoleBindings(b.Namespace).Delete(ctx, b.Name, o)
	} else {
		err = w.cluster.client.RbacV1().ClusterRoleBindings().Delete(ctx, b.Name, o)
	}
	if err == nil || apierrors.IsNotFound(err) {
		return nil
	}
	return w.failed(doing, b, err)
}

// observed refuses a write without preconditions: the API server takes an empty one for none.
func observed(b reconcile.Binding) error {
	if b.UID == "" || b.ResourceVersion == "" {
		return fmt.Errorf("it was never observed: uid %q, resourceVersion %q", b.UID, b.ResourceVersion)
	}
	return nil
}

// failed explains what the API server answered to a write of b.
func (w *Bindings) failed(doing string, b reconcile.Binding, err error) error {
	switch {
	case apierrors.IsAlreadyExists(err), apierrors.IsConflict(err), apierrors.IsNotFound(err):
		return fmt.Errorf("%s: %w: %w", doing, reconcile.ErrPrecondition, err)
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return fmt.Errorf("%s: %w", doing, err)
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), "RBAC permissions not currently held"):
		// The lines after the first are the rules of the role, some sixty for "view".
		message, _, _ := strings.Cut(err.Error(), ":\n")
		return reconcile.WithHint(fmt.Errorf("%s: %s", doing, message),
			fmt.Sprintf("grant certsync the verb bind on clusterroles/%s", b.RoleRef.Name))
	}
	return w.cluster.failed(doing, err)
}
