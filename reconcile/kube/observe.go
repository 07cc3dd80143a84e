package kube

import (
	"context"
	"fmt"
	"maps"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/admission"
	"github.com/certsync/certsync/reconcile/kube/api"
	"github.com/certsync/certsync/reconcile/kube/csr"
)

var _ reconcile.ClusterReader = (*Cluster)(nil)

var namespaces = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}

// ObserveCluster reads all of the cluster that a plan needs, in one request for each 500 objects of a kind. It returns
// everything or an error: a failed list is not an empty cluster. Only objects of tenants over the room of their namespace are left out
// (Partly), and never a binding of the owner's. Bindings are sorted by kind, namespace and name, requests
// by age and name. Clock is the API server's time at the return, at most 11 seconds behind. It is zero if no answer told the
// time within 10 seconds.
func (c *Cluster) ObserveCluster(ctx context.Context, owner string) (reconcile.ClusterView, error) {
	var (
		v             reconcile.ClusterView
		wide, limited []reconcile.Binding
		wideRules     map[reconcile.Role][]reconcile.Rule
		bound, ruled  = newRoom(), newRoom()
	)
	if c.shared {
		ctx = api.Shared(ctx)
	}
	start := time.Now()
	err := inParallel(ctx, 10,
		func(context.Context) (err error) { v.Endpoint, err = c.Endpoint(); return err },
		func(ctx context.Context) (err error) { wide, err = c.clusterRoleBindings(ctx); return err },
		func(ctx context.Context) (err error) {
			limited, err = c.roleBindings(ctx, func(b *rbacv1.RoleBinding) bool {
				_, ours := reconcile.ParseBindingName(owner, b.Namespace, b.Name)
				return ours || bound.fits(b.Namespace, bindingBytes(b))
			})
			return err
		},
		func(ctx context.Context) (err error) {
			v.ClusterRoles, wideRules, err = c.clusterRoles(ctx)
			return err
		},
		func(ctx context.Context) (err error) {
			v.Rules, err = c.roles(ctx, func(r *rbacv1.Role) bool { return ruled.fits(r.Namespace, roleBytes(r)) })
			return err
		},
		func(ctx context.Context) (err error) { v.Namespaces, v.UID, err = c.Namespaces(ctx); return err },
		func(ctx context.Context) (err error) {
			v.Requests, v.MoreRequests, err = csr.List(ctx, c.server, owner)
			return err
		},
		func(ctx context.Context) (err error) {
			v.Mark, v.Revoked, v.Leased, err = c.leases.Mark(ctx, owner)
			return err
		},
		func(ctx context.Context) (err error) { v.FrontProxy, err = c.FrontProxy(ctx); return err },
		func(ctx context.Context) (err error) {
			v.Revocations, err = admission.Read(ctx, c.server, owner)
			return err
		},
	)
	if err != nil {
		return reconcile.ClusterView{}, err
	}
	v.Clock, _ = c.server.Clock.Since(start)
	v.Bindings = append(wide, limited...)
	maps.Copy(v.Rules, wideRules)
	v.Partly = bound.partly
	maps.Copy(v.Partly, ruled.partly)
	sortBindings(v.Bindings)
	return v, nil
}

func (c *Cluster) clusterRoleBindings(ctx context.Context) ([]reconcile.Binding, error) {
	var all []reconcile.Binding
	err := api.List(ctx, c.server.Client.RbacV1().ClusterRoleBindings().List, metav1.ListOptions{}, func(b *rbacv1.ClusterRoleBinding) bool {
		all = append(all, fromClusterRoleBinding(b))
		return true
	})
	if err != nil {
		return nil, c.server.Failed("listing clusterrolebindings", err)
	}
	return all, nil
}

// roleBindings returns the RoleBindings that fit.
func (c *Cluster) roleBindings(ctx context.Context, fits func(*rbacv1.RoleBinding) bool) ([]reconcile.Binding, error) {
	var all []reconcile.Binding
	err := api.List(ctx, c.server.Client.RbacV1().RoleBindings(metav1.NamespaceAll).List, metav1.ListOptions{}, func(b *rbacv1.RoleBinding) bool {
		if !fits(b) {
			return false
		}
		all = append(all, fromRoleBinding(b))
		return true
	})
	if err != nil {
		return nil, c.server.Failed("listing rolebindings", err)
	}
	return all, nil
}

// NamespaceRoles returns the Roles that exist.
func (c *Cluster) NamespaceRoles(ctx context.Context) (map[reconcile.Role]bool, error) {
	all := map[reconcile.Role]bool{}
	_, err := c.roles(ctx, func(r *rbacv1.Role) bool {
		all[reconcile.Role{Namespace: r.Namespace, Name: r.Name}] = true
		return false // the name alone takes little
	})
	return all, err
}

// ClusterRoles returns the names of the ClusterRoles that exist.
func (c *Cluster) ClusterRoles(ctx context.Context) (map[string]bool, error) {
	all, _, err := c.clusterRoles(ctx)
	return all, err
}

// clusterRoles also returns the rules of each ClusterRole.
func (c *Cluster) clusterRoles(ctx context.Context) (all map[string]bool, rules map[reconcile.Role][]reconcile.Rule, err error) {
	all, rules = map[string]bool{}, map[reconcile.Role][]reconcile.Rule{}
	err = api.List(ctx, c.server.Client.RbacV1().ClusterRoles().List, metav1.ListOptions{}, func(r *rbacv1.ClusterRole) bool {
		all[r.Name], rules[reconcile.Role{Name: r.Name}] = true, fromRules(r.Rules)
		return true
	})
	if err != nil {
		return nil, nil, c.server.Failed("listing clusterroles", err)
	}
	return all, rules, nil
}

// roles returns the rules of each Role that fits.
func (c *Cluster) roles(ctx context.Context, fits func(*rbacv1.Role) bool) (map[reconcile.Role][]reconcile.Rule, error) {
	rules := map[reconcile.Role][]reconcile.Rule{}
	err := api.List(ctx, c.server.Client.RbacV1().Roles(metav1.NamespaceAll).List, metav1.ListOptions{}, func(r *rbacv1.Role) bool {
		if !fits(r) {
			return false
		}
		rules[reconcile.Role{Namespace: r.Namespace, Name: r.Name}] = fromRules(r.Rules)
		return true
	})
	if err != nil {
		return nil, c.server.Failed("listing roles", err)
	}
	return rules, nil
}

// Namespaces returns the namespaces that exist, by name. It also returns the UID
// of kube-system, which identifies the cluster: every cluster has that namespace, and nobody can delete it. A cluster that
// was made anew has another UID.
func (c *Cluster) Namespaces(ctx context.Context) (all map[string]reconcile.Namespace, uid string, err error) {
	all = map[string]reconcile.Namespace{}
	err = api.List(ctx, c.server.Metadata.Resource(namespaces).List, metav1.ListOptions{}, func(n *metav1.PartialObjectMetadata) bool {
		all[n.Name] = reconcile.Namespace{Labels: n.Labels, Open: n.DeletionTimestamp == nil}
		if n.Name == metav1.NamespaceSystem {
			uid = string(n.UID)
		}
		return true
	})
	switch {
	case err != nil:
		return nil, "", c.server.Failed("listing namespaces", err)
	case uid == "":
		return nil, "", fmt.Errorf("listing namespaces: %s has no namespace %q, whose UID identifies the cluster",
			c.server.Address, metav1.NamespaceSystem)
	}
	return all, uid, nil
}
