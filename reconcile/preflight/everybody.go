package preflight

import (
	"context"
	"errors"
	"strings"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/access"
	"github.com/certsync/certsync/reconcile/plan"
	"github.com/certsync/certsync/reconcile/plan/index"
)

// everybody looks for what bindings of others give to everybody: no revocation takes it from a certificate. It observes the
// cluster as plan does, so it also finds what no access review tells, such as a list that something cuts short.
func (in *inspection) everybody(ctx context.Context) Check {
	if len(in.denied) > 0 { // so far these are rights to read
		return notChecked("needs the right to " + in.denied[0].String())
	}
	view, err := in.Cluster.ObserveCluster(ctx, in.Inventory.Owner)
	if err != nil {
		return broken(err)
	}
	in.bindings = reconcile.OrEmpty(view.Bindings)
	x := index.New(in.Inventory, reconcile.Observed{At: in.Now(), ClusterView: view}, reconcile.Rules{Namespace: in.Namespace, LockNamespace: in.LockNamespace})
	var found []error
	for _, n := range plan.Everybody(x) {
		found = append(found, errors.New(strings.TrimPrefix(n.Object+" "+n.Message, " ")))
	}
	if len(found) > 0 {
		return warning(joined(found).Error(), "remove the subject from the binding, or bind a weaker role: revoking a certificate does not end this access")
	}
	return passed("no binding of others makes everybody as good as cluster-admin")
}

// ask asks the authorizer once what anybody may do.
func (in *inspection) ask(ctx context.Context) (access.Decision, error) {
	if in.decision == nil {
		d, err := in.Cluster.Anybody(ctx)
		if err != nil {
			return d, err
		}
		in.decision = &d
	}
	return *in.decision, nil
}

// authorizer says whether bindings limit what a certificate may do.
func (in *inspection) authorizer(ctx context.Context) Check {
	d, err := in.ask(ctx)
	if err == nil {
		err = d.Refusal()
	}
	switch {
	case err != nil:
		return broken(err)
	case d.Secrets:
		return warning(d.Doubt(), "find the binding, policy or webhook that allows it: revoking a certificate does not end this access")
	case d.Unasked != "":
		return Check{Verdict: NotChecked, Detail: d.Doubt(), Hint: "run `certsync preflight --issue`; or grant it: " + access.AskPermission.String()}
	}
	return passed("bindings limit what a certificate may do")
}
