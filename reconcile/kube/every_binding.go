package kube

import (
	"cmp"
	"context"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/certsync/certsync/reconcile"
)

// EveryBinding lists all bindings, also those that certsync did not make. They are sorted by kind, namespace and name. It
// needs no other right than to list them.
func (c *Cluster) EveryBinding(ctx context.Context) ([]reconcile.Binding, error) {
	var wide, limited []reconcile.Binding
	err := inParallel(ctx, 2,
		func(ctx context.Context) (err error) { wide, err = c.clusterRoleBindings(ctx); return err },
		func(ctx context.Context) (err error) {
			limited, err = c.roleBindings(ctx, func(*rbacv1.RoleBinding) bool { return true })
			return err
		},
	)
	if err != nil {
		return nil, err
	}
	all := append(wide, limited...)
	sortBindings(all)
	return all, nil
}

func sortBindings(all []reconcile.Binding) {
	slices.SortFunc(all, func(a, b reconcile.Binding) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
}
