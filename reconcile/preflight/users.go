package preflight

import (
	"context"
	"errors"
	"fmt"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/endpoint"
)

// elsewhere is where people's address can be tried that this machine does not reach.
const elsewhere = "on a machine that users work on, run `certsync preflight --issue`"

// users makes the checks of what people's kubeconfigs lead to.
func (in *inspection) users(ctx context.Context) []Check {
	e, c, complete := in.endpoint()
	if !complete {
		return []Check{c.of("users' address"), notChecked("needs users' address").of("users' login")}
	}
	err := in.Cluster.Reach(ctx, e)
	return []Check{in.address(e, c, err).of("users' address"), in.login(ctx, e, err).of("users' login")}
}

// endpoint is what people's kubeconfigs lead to: what the inventory says, and otherwise what the first apply has recorded, or will
// record, of certsync's own connection. The check says which, or why that is not known.
func (in *inspection) endpoint() (e reconcile.Endpoint, c Check, complete bool) {
	if in.Cluster == nil {
		return e, notChecked("needs API server"), false
	}
	own, err := in.Cluster.Endpoint()
	if err != nil {
		return e, broken(err), false
	}
	recorded, from := reconcile.Endpoint{}, "from the inventory"
	if in.store != nil && in.store.State != nil {
		recorded = in.store.State.Endpoint
	}
	if in.Inventory.Cluster.Server == "" {
		if from = "as recorded"; recorded.Server == "" {
			from = "certsync's own"
		}
	}
	e = endpoint.Of(in.Inventory.Cluster, endpoint.Recorded(in.Inventory.Cluster, recorded, own))
	if err := endpoint.Complete(e); err != nil {
		return e, broken(err), false
	}
	return e, passed(fmt.Sprintf("%s (%s), as cluster %q", e.Server, from, e.Name)), true
}

// address says what answered at people's address, and whether other machines can get there.
func (in *inspection) address(e reconcile.Endpoint, c Check, reached error) Check {
	switch {
	case reached == nil:
		c.Detail += "; an API server answers there"
	case errors.Is(reached, ErrNotReached):
		c.Verdict, c.Detail, c.Hint = NotChecked, c.Detail+"; "+reached.Error(), elsewhere
	default:
		return broken(reconcile.WithHint(fmt.Errorf("%s: %w", c.Detail, reached), reconcile.Hint(reached)))
	}
	if why := endpoint.Local(e, in.Inventory.Cluster); why != "" {
		return warning(c.Detail+"; "+why, "set cluster.server in the inventory to the address as users reach it")
	}
	return c
}

// login logs in at people's address with the certificate that was issued for a trial.
func (in *inspection) login(ctx context.Context, e reconcile.Endpoint, reached error) Check {
	switch {
	case !in.Issue:
		return untrialled("whether the server at that address takes the certificates that certsync gets")
	case errors.Is(reached, ErrNotReached):
		return Check{Verdict: NotChecked, Detail: ErrNotReached.Error(), Hint: elsewhere}
	case in.trial == nil:
		return notChecked("needs signer")
	}
	who, err := in.Cluster.LoginAt(ctx, e, in.trial.chain, in.trial.key)
	switch {
	case errors.Is(err, ErrNotReached):
		return Check{Verdict: NotChecked, Detail: err.Error(), Hint: elsewhere}
	case err != nil:
		return broken(err)
	case who.Name != in.trial.username:
		return broken(reconcile.WithHint(fmt.Errorf("the server at %s takes the new certificate for %q", e.Server, reconcile.Shown(who.Name)),
			"check whether it is another cluster's address, or a proxy in front of the API server ends TLS"))
	}
	return passed(fmt.Sprintf("the server there takes the certificate for %q", who.Name))
}
