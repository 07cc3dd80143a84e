package preflight

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/certsync/certsync/reconcile"
)

func (l *look) rolesExist(ctx context.Context) Check {
	if c, lacks := l.without("list", "clusterroles"); lacks {
		return c
	}
	var err error
	if l.roles, err = l.Cluster.ClusterRoles(ctx); err != nil {
		return broken(err)
	}
	var names, missing []string
	for _, g := range l.wanted() {
		names = append(names, g.Role)
		if !l.roles[g.Role] {
			missing = append(missing, fmt.Sprintf("%q", g.Role))
		}
	}
	if len(missing) > 0 {
		return warning("there is no "+strings.Join(slices.Compact(missing), ", no ")+": bindings to it grant nothing until there is",
			"make the role, or take it out of the inventory")
	}
	return passed(fmt.Sprintf("all that the inventory names (%d)", len(slices.Compact(names))))
}

func (l *look) namespacesExist(ctx context.Context) Check {
	if c, lacks := l.without("list", "namespaces"); lacks {
		return c
	}
	var err error
	if l.namespaces, l.uid, err = l.Cluster.Namespaces(ctx); err != nil {
		return broken(err)
	}
	if !l.namespaces[l.LockNamespace] {
		return broken(reconcile.WithHint(fmt.Errorf("%q, where the lock is, does not exist or is being deleted", l.LockNamespace),
			"make the namespace, or name another with --lock-namespace"))
	}
	names := map[string]bool{}
	for _, g := range l.wanted() {
		if g.Namespace != "" {
			names[g.Namespace] = true
		}
	}
	var missing []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !l.namespaces[name] {
			missing = append(missing, fmt.Sprintf("%q", name))
		}
	}
	if len(missing) > 0 {
		return warning(fmt.Sprintf("%s does not exist or is being deleted: what is granted there is bound once it is there", strings.Join(missing, ", ")),
			"make the namespace, or take it out of the inventory")
	}
	return passed(fmt.Sprintf("all that the inventory names (%d)", len(names)))
}

// triesAtOnce bounds the bindings that are tried at once.
const triesAtOnce = 10

// mayBind asks for the verb bind on each role, and where that is denied goes through making each binding: who holds every
// rule of a role needs no verb.
func (l *look) mayBind(ctx context.Context) Check {
	if l.roles == nil || l.namespaces == nil {
		return notChecked("needs ClusterRoles and namespaces")
	}
	grants := slices.DeleteFunc(l.wanted(), func(g reconcile.Grant) bool {
		return !l.roles[g.Role] || g.Namespace != "" && !l.namespaces[g.Namespace]
	})
	asked := map[string]reconcile.Permission{}
	for _, g := range grants {
		asked[g.Role] = reconcile.BindPermission(g.Role)
	}
	var wanted []reconcile.Permission
	for _, role := range slices.Sorted(maps.Keys(asked)) {
		wanted = append(wanted, asked[role])
	}
	denied, err := l.Cluster.Denied(ctx, wanted)
	if err != nil {
		return broken(err)
	}
	tried := slices.DeleteFunc(grants, func(g reconcile.Grant) bool { return !slices.Contains(denied, reconcile.BindPermission(g.Role)) })
	whys, errs := l.try(ctx, tried)
	switch {
	case len(whys) > 0:
		return broken(reconcile.WithHint(errors.New(strings.Join(whys, "; ")),
			"grant the verb bind on these ClusterRoles, or every rule of theirs, to the identity that runs apply"))
	case len(errs) > 0:
		return warning(errors.Join(errs...).Error(),
			cmp.Or(reconcile.Hint(errs[0]), "no verb bind, and only a binding can tell whether all rules of the role are held"))
	case len(tried) > 0:
		return passed(fmt.Sprintf("every rule of what is to be bound, as a dry run of the bindings (%d) shows; else verb bind", len(tried)))
	}
	return passed(fmt.Sprintf("verb bind on each ClusterRole (%d)", len(wanted)))
}

// try has the API server go through making a binding of each grant, for nobody who exists.
func (l *look) try(ctx context.Context, grants []reconcile.Grant) (whys []string, errs []error) {
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(triesAtOnce)
	for _, g := range grants {
		group.Go(func() error {
			g.Subject = throwAway
			why, err := l.Cluster.MayBind(ctx, reconcile.NewBinding(l.Inventory.Owner, g, []string{throwAway}))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, err)
			} else if why != "" {
				whys = append(whys, fmt.Sprintf("%s: %s", g, why))
			}
			return nil
		})
	}
	_ = group.Wait() // errs has them
	slices.Sort(whys)
	return whys, errs
}
