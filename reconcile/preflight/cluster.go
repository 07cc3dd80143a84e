package preflight

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/refusal"
	"github.com/certsync/certsync/reconcile/rights"
)

// cluster makes the checks of Kubernetes.
func (in *inspection) cluster(ctx context.Context) []Check {
	return inOrder(ctx, in.ClusterErr, []step{
		{"API server", in.server},
		{"API versions", in.versions},
		{"identity", in.identity},
		{"rights to read", in.mayRead},
		{"open access", in.everybody},
		{"lock", in.lease},
		{"rights to write", in.mayWrite},
		{"rights to lock", in.mayLock},
		{"rights for Events", in.mayWriteEvents},
		{"ClusterRoles", in.rolesExist},
		{"namespaces", in.namespacesExist},
		{"rights to bind", in.mayBind},
		{"clock", in.clock},
		{"front proxy", in.proxy},
		{"signer", trial{in}.signer},
		{"authorizer", in.authorizer},
	})
}

func (in *inspection) server(ctx context.Context) Check {
	version, err := in.Cluster.Version(ctx)
	if err != nil {
		return broken(err)
	}
	return passed(fmt.Sprintf("Kubernetes %s at %s", version, in.Cluster.Address()))
}

// versions looks for the resources that certsync speaks of.
func (in *inspection) versions(ctx context.Context) Check {
	var missing []string
	var errs []error
	resources := []struct{ groupVersion, name string }{
		{"certificates.k8s.io/v1", "certificatesigningrequests"},
		{reconcile.RBACGroup + "/v1", "clusterrolebindings"},
		{"coordination.k8s.io/v1", "leases"},
		{"authentication.k8s.io/v1", "selfsubjectreviews"},
		{"authorization.k8s.io/v1", "selfsubjectaccessreviews"},
	}
	for _, r := range resources {
		served, err := in.Cluster.Serves(ctx, r.groupVersion, r.name)
		if err != nil {
			errs = append(errs, err)
		} else if !served {
			missing = append(missing, r.name+" in "+r.groupVersion)
		}
	}
	switch {
	case len(missing) > 0:
		return broken(reconcile.WithHint(fmt.Errorf("the API server has no %s", strings.Join(missing, ", no ")),
			"certsync needs Kubernetes 1.28 or newer, with its standard APIs"))
	case len(errs) > 0:
		return Check{Verdict: NotChecked, Detail: errors.Join(errs...).Error(),
			Hint: again("let certsync's identity read the API's description (ClusterRole system:discovery)")}
	}
	return passed(fmt.Sprintf("all %d that certsync needs", len(resources)))
}

func (in *inspection) identity(ctx context.Context) Check {
	self, err := in.Cluster.WhoAmI(ctx)
	if err != nil {
		return broken(err)
	}
	in.self = &self
	return passed(fmt.Sprintf("%q", self.Name))
}

// lease looks at the lock, which another run may hold.
func (in *inspection) lease(ctx context.Context) Check {
	if c, lacks := in.without("get", "leases"); lacks {
		return c
	}
	view, err := in.Cluster.LookAtLock(ctx, in.Inventory.Owner)
	if err != nil {
		return broken(err)
	}
	in.lock = &view
	name := in.LockNamespace + "/" + reconcile.LockName(in.Inventory.Owner)
	switch {
	case view.Taken != nil:
		return warning(view.Taken.Error(), reconcile.Hint(view.Taken))
	case !view.Leased:
		return passed(fmt.Sprintf("there is no Lease %s yet; the first apply creates it", name))
	}
	return passed(fmt.Sprintf("Lease %s is free; generation %d", name, view.Generation))
}

func (in *inspection) mayRead(ctx context.Context) Check {
	return in.may(ctx, rights.Read(in.Inventory.Owner, in.LockNamespace))
}

func (in *inspection) mayWrite(ctx context.Context) Check {
	if in.CAErr != nil {
		return notChecked("needs signer")
	}
	var self reconcile.Identity
	if in.self != nil {
		self = *in.self
	}
	wanted := rights.Write(in.Inventory.Owner, in.LockNamespace, nil, nil, in.OpenIssuer(self).Permissions())
	return in.may(ctx, slices.DeleteFunc(wanted, func(p reconcile.Permission) bool { return p == rights.Event(in.LockNamespace) }))
}

// mayWriteEvents asks for what a run can do without.
func (in *inspection) mayWriteEvents(ctx context.Context) Check {
	c := in.may(ctx, []reconcile.Permission{rights.Event(in.LockNamespace)})
	if c.Verdict == Broken {
		c.Verdict = Warning
		c.Detail += ": certsync writes no Events about its runs, and runs work without them"
	}
	return c
}

func (in *inspection) mayLock(ctx context.Context) Check {
	// Where nobody knows whether the Lease exists, the right to read it is what is lacking.
	exists := in.lock == nil || in.lock.Leased
	c := in.may(ctx, rights.Lock(in.Inventory.Owner, in.LockNamespace, exists))
	if c.Verdict != Passed || in.lock == nil {
		return c
	}
	// A provider may let nobody write in kube-system, whatever RBAC says.
	switch err := in.Cluster.TryLock(ctx, in.Inventory.Owner); {
	case errors.Is(err, ErrNoDryRun):
		return untriable(err)
	case err != nil:
		return broken(reconcile.WithHint(err, strings.TrimPrefix(reconcile.Hint(err)+"; or choose another namespace with --lock-namespace", "; ")))
	}
	c.Detail += ", and a dry run of the Lease succeeded"
	return c
}

// may asks for permissions.
func (in *inspection) may(ctx context.Context, wanted []reconcile.Permission) Check {
	denied, err := in.Cluster.Denied(ctx, wanted)
	if err != nil {
		return broken(err)
	}
	in.denied = append(in.denied, denied...)
	if len(denied) > 0 {
		hint := in.grantHint()
		if len(denied) == 1 && rights.IsLease(denied[0]) {
			hint = rights.LeaseHint
		}
		return broken(reconcile.WithHint(fmt.Errorf("may not: %s", sentence(denied)), hint))
	}
	return passed(fmt.Sprintf("all %d", len(wanted)))
}

// without is the check of what takes a right that was found to be lacking, and false if it is not.
func (in *inspection) without(verb, resource string) (c Check, lacks bool) {
	for _, p := range in.denied {
		if p.Verb == verb && p.Resource == resource {
			return notChecked("needs the right to " + p.String()), true
		}
	}
	return Check{}, false
}

// sentence names permissions, those on one thing together.
func sentence(permissions []reconcile.Permission) string {
	var list []string
	for i, p := range permissions {
		var verbs []string
		for j, other := range permissions {
			verb := other.Verb
			if other.Verb = p.Verb; other != p {
				continue
			}
			if j < i {
				break // named already
			}
			verbs = append(verbs, verb)
		}
		if len(verbs) > 0 {
			p.Verb = strings.Join(verbs, ", ")
			list = append(list, p.String())
		}
	}
	return strings.Join(list, "; ")
}

// grantHint says how rights that are lacking are given.
func (in *inspection) grantHint() string {
	who := "the identity that runs certsync"
	if in.self != nil {
		who = fmt.Sprintf("%q", in.self.Name)
	}
	return "grant it to " + who + " in Kubernetes RBAC; `certsync manifests` prints the rights"
}

func (in *inspection) clock(context.Context) Check {
	here := in.Now()
	there, told := in.Cluster.Clock()
	if !told {
		there = time.Time{}
	}
	if why := refusal.Skewed(here, there); why != "" {
		return broken(errors.New(why))
	}
	return passed(fmt.Sprintf("%s off the API server's", inventory.DurationText(here.Sub(there).Abs().Round(time.Second))))
}

// ownCA is the hint about a shared CA.
const ownCA = "give the front proxy a CA of its own (kube-apiserver --requestheader-client-ca-file)"

func (in *inspection) proxy(ctx context.Context) Check {
	if c, lacks := in.without("get", "configmaps"); lacks {
		return c
	}
	f, err := in.Cluster.FrontProxy(ctx)
	if err != nil {
		return broken(err)
	}
	in.frontProxy = &f
	if in.CA != nil {
		f.SharedCA = f.SharedCA || reconcile.NewFrontProxy(in.CA.Certificate, f.CAs, f.AllowedNames, in.Now()).SharedCA
	}
	for _, u := range in.Inventory.Users {
		if why := f.Impersonates(u.Name); why != "" {
			return broken(errors.New(why))
		}
	}
	switch why := f.ForgeableByAll(); {
	case why != "" && in.AcceptSharedCA:
		return warning(why, ownCA)
	case why != "":
		return broken(reconcile.WithHint(errors.New(why), ownCA))
	case f.SharedCA:
		return warning(fmt.Sprintf("one CA signs for clients and for front proxies; front proxies are accepted by name: %q", f.AllowedNames), ownCA)
	}
	return passed("no client certificate works as a front proxy's")
}
