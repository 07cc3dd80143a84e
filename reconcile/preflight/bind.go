package preflight

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/granted"
)

func (in *inspection) rolesExist(ctx context.Context) Check {
	if c, lacks := in.without("list", "clusterroles"); lacks {
		return c
	}
	if granted.Selects(in.Inventory) {
		if c, lacks := in.without("list", "namespaces"); lacks {
			return c
		}
		if err := in.listNamespaces(ctx); err != nil {
			return notChecked("needs namespaces")
		}
	}
	if err := in.listRoles(ctx); err != nil {
		return broken(err)
	}
	var names, missing []string
	for _, g := range in.wanted() {
		name := fmt.Sprintf("%q", g.Role)
		if g.RoleKind == reconcile.NamespaceRole {
			name = g.String()
		}
		names = append(names, name)
		if !in.roles[g.Bound()] {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return warning("there is no "+strings.Join(slices.Compact(missing), ", no ")+": bindings to a missing role grant nothing",
			"create the role, or correct its name in the inventory")
	}
	return passed(fmt.Sprintf("all that the inventory names (%d)", len(slices.Compact(names))))
}

// listRoles lists the ClusterRoles, and the Roles if the inventory names any.
func (in *inspection) listRoles(ctx context.Context) error {
	clusterRoles, err := in.Cluster.ClusterRoles(ctx)
	if err != nil {
		return err
	}
	roles := map[reconcile.Role]bool{}
	if len(in.Inventory.Roles()) > 0 {
		if roles, err = in.Cluster.NamespaceRoles(ctx); err != nil {
			return err
		}
		roles = maps.Clone(roles)
	}
	for name := range clusterRoles {
		roles[reconcile.Role{Name: name}] = true
	}
	in.roles = roles
	return nil
}

// listNamespaces lists the namespaces once.
func (in *inspection) listNamespaces(ctx context.Context) (err error) {
	if in.namespaces == nil {
		in.namespaces, in.uid, err = in.Cluster.Namespaces(ctx)
	}
	return err
}

func (in *inspection) namespacesExist(ctx context.Context) Check {
	if c, lacks := in.without("list", "namespaces"); lacks {
		return c
	}
	if err := in.listNamespaces(ctx); err != nil {
		return broken(err)
	}
	if !in.namespaces[in.LockNamespace].Open {
		return broken(reconcile.WithHint(fmt.Errorf("%q, where the lock is, does not exist or is being deleted", in.LockNamespace),
			"create the namespace, or name another with --lock-namespace"))
	}
	names := map[string]bool{}
	for _, g := range in.wanted() {
		if g.Namespace != "" {
			names[g.Namespace] = true
		}
	}
	var missing []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !in.namespaces[name].Open {
			missing = append(missing, fmt.Sprintf("%q", name))
		}
	}
	if len(missing) > 0 {
		return warning(fmt.Sprintf("%s does not exist or is being deleted: certsync creates the bindings there when it exists", strings.Join(missing, ", ")),
			"create the namespace, or correct its name in the inventory")
	}
	return passed(fmt.Sprintf("all that the inventory names (%d)", len(names)))
}

// triesAtOnce bounds the bindings that are tried at once.
const triesAtOnce = 10

// mayBind goes through making each binding that is to be, by dry runs: one for each role in each place.
func (in *inspection) mayBind(ctx context.Context) Check {
	if in.roles == nil || in.namespaces == nil {
		return notChecked("needs ClusterRoles and namespaces")
	}
	for _, resource := range []string{"clusterrolebindings", "rolebindings"} {
		if c, lacks := in.without("create", resource); lacks {
			return c
		}
	}
	grants := slices.DeleteFunc(in.wanted(), func(g reconcile.Grant) bool {
		return !in.roles[g.Bound()] || g.Namespace != "" && !in.namespaces[g.Namespace].Open
	})
	refused, untried := in.try(ctx, grants)
	switch {
	case len(refused) > 0:
		return broken(joined(refused))
	case len(untried) > 0:
		return untriable(joined(untried))
	}
	return passed(fmt.Sprintf("a dry run of each binding succeeded (%d)", len(grants)))
}

// untriable is the check of a write of which no dry run can be made.
func untriable(err error) Check {
	return Check{Verdict: NotChecked, Detail: err.Error(), Hint: again("declare sideEffects None or NoneOnDryRun in the webhook")}
}

// maxRefusals bounds the refusals that are shown: one webhook refuses all bindings in the same words.
const maxRefusals = 5

// joined is one error, with the hints of all.
func joined(errs []error) error {
	var texts, hints []string
	for i, err := range errs {
		if i == maxRefusals {
			texts = append(texts, fmt.Sprintf("and %d more", len(errs)-i))
			break
		}
		texts = append(texts, err.Error())
		if hint := reconcile.Hint(err); hint != "" && !slices.Contains(hints, hint) {
			hints = append(hints, hint)
		}
	}
	return reconcile.WithHint(errors.New(strings.Join(texts, "; ")), strings.Join(hints, "; "))
}

// try has the API server go through making a binding of each grant, for nobody who exists. It tells what is refused from what
// cannot be tried.
func (in *inspection) try(ctx context.Context, grants []reconcile.Grant) (refused, untried []error) {
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(triesAtOnce)
	for _, g := range grants {
		group.Go(func() error {
			g.Subject = throwAway
			err := in.Cluster.TryBinding(ctx, reconcile.NewBinding(in.Inventory.Owner, g, []string{throwAway}))
			if err == nil {
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			err = fmt.Errorf("%s: %w", g, err)
			if errors.Is(err, ErrNoDryRun) {
				untried = append(untried, err)
			} else {
				refused = append(refused, err)
			}
			return nil
		})
	}
	_ = group.Wait() // the lists have all errors
	byText := func(a, b error) int { return strings.Compare(a.Error(), b.Error()) }
	slices.SortFunc(refused, byText)
	slices.SortFunc(untried, byText)
	return refused, untried
}
