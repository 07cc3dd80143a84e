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
func (l *look) cluster(ctx context.Context) []Check {
	return inOrder(ctx, l.ClusterErr, []step{
		{"API server", l.server},
		{"API versions", l.versions},
		{"identity", l.identity},
		{"rights to read", l.mayRead},
		{"open access", l.everybody},
		{"lock", l.lease},
		{"rights to write", l.mayWrite},
		{"rights to lock", l.mayLock},
		{"rights for Events", l.mayWriteEvents},
		{"ClusterRoles", l.rolesExist},
		{"namespaces", l.namespacesExist},
		{"rights to bind", l.mayBind},
		{"clock", l.clock},
		{"front proxy", l.proxy},
		{"signer", trial{l}.signer},
		{"authorizer", l.authorizer},
	})
}

func (l *look) server(ctx context.Context) Check {
	version, err := l.Cluster.Version(ctx)
	if err != nil {
		return broken(err)
	}
	return passed(fmt.Sprintf("Kubernetes %s at %s", version, l.Cluster.Address()))
}

// versions looks for the resources that certsync speaks of.
func (l *look) versions(ctx context.Context) Check {
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
		served, err := l.Cluster.Serves(ctx, r.groupVersion, r.name)
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

func (l *look) identity(ctx context.Context) Check {
	self, err := l.Cluster.WhoAmI(ctx)
	if err != nil {
		return broken(err)
	}
	l.self = &self
	return passed(fmt.Sprintf("%q", self.Name))
}

// lease looks at the lock, which another run may hold.
func (l *look) lease(ctx context.Context) Check {
	if c, lacks := l.without("get", "leases"); lacks {
		return c
	}
	view, err := l.Cluster.LookAtLock(ctx, l.Inventory.Owner)
	if err != nil {
		return broken(err)
	}
	l.lock = &view
	name := l.LockNamespace + "/" + reconcile.LockName(l.Inventory.Owner)
	switch {
	case view.Taken != nil:
		return warning(view.Taken.Error(), reconcile.Hint(view.Taken))
	case !view.Leased:
		return passed(fmt.Sprintf("there is no Lease %s yet; the first apply creates it", name))
	}
	return passed(fmt.Sprintf("Lease %s is free; generation %d", name, view.Generation))
}

func (l *look) mayRead(ctx context.Context) Check {
	return l.may(ctx, rights.Read(l.Inventory.Owner, l.LockNamespace))
}

func (l *look) mayWrite(ctx context.Context) Check {
	if l.CAErr != nil {
		return notChecked("needs signer")
	}
	var self reconcile.Identity
	if l.self != nil {
		self = *l.self
	}
	wanted := rights.Write(l.Inventory.Owner, l.LockNamespace, nil, nil, l.OpenIssuer(self).Permissions())
	return l.may(ctx, slices.DeleteFunc(wanted, func(p reconcile.Permission) bool { return p == rights.Event(l.LockNamespace) }))
}

// mayWriteEvents asks for what a run can do without.
func (l *look) mayWriteEvents(ctx context.Context) Check {
	c := l.may(ctx, []reconcile.Permission{rights.Event(l.LockNamespace)})
	if c.Verdict == Broken {
		c.Verdict = Warning
		c.Detail += ": certsync writes no Events about its runs, and runs work without them"
	}
	return c
}

func (l *look) mayLock(ctx context.Context) Check {
	// Where nobody knows whether the Lease exists, the right to read it is what is lacking.
	exists := l.lock == nil || l.lock.Leased
	c := l.may(ctx, rights.Lock(l.Inventory.Owner, l.LockNamespace, exists))
	if c.Verdict != Passed || l.lock == nil {
		return c
	}
	// A provider may let nobody write in kube-system, whatever RBAC says.
	switch err := l.Cluster.TryLock(ctx, l.Inventory.Owner); {
	case errors.Is(err, ErrNoDryRun):
		return untriable(err)
	case err != nil:
		return broken(reconcile.WithHint(err, strings.TrimPrefix(reconcile.Hint(err)+"; or choose another namespace with --lock-namespace", "; ")))
	}
	c.Detail += ", and a dry run of the Lease succeeded"
	return c
}

// may asks for permissions.
func (l *look) may(ctx context.Context, wanted []reconcile.Permission) Check {
	denied, err := l.Cluster.Denied(ctx, wanted)
	if err != nil {
		return broken(err)
	}
	l.denied = append(l.denied, denied...)
	if len(denied) > 0 {
		hint := l.grantHint()
		if len(denied) == 1 && rights.IsLease(denied[0]) {
			hint = rights.LeaseHint
		}
		return broken(reconcile.WithHint(fmt.Errorf("may not: %s", sentence(denied)), hint))
	}
	return passed(fmt.Sprintf("all %d", len(wanted)))
}

// without is the check of what takes a right that was found to be lacking, and false if it is not.
func (l *look) without(verb, resource string) (c Check, lacks bool) {
	for _, p := range l.denied {
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
func (l *look) grantHint() string {
	who := "the identity that runs certsync"
	if l.self != nil {
		who = fmt.Sprintf("%q", l.self.Name)
	}
	return "grant it to " + who + " in Kubernetes RBAC; `certsync manifests` prints the rights"
}

func (l *look) clock(context.Context) Check {
	here := l.Now()
	there, told := l.Cluster.Clock()
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

func (l *look) proxy(ctx context.Context) Check {
	if c, lacks := l.without("get", "configmaps"); lacks {
		return c
	}
	f, err := l.Cluster.FrontProxy(ctx)
	if err != nil {
		return broken(err)
	}
	l.frontProxy = &f
	if l.CA != nil {
		f.SharedCA = f.SharedCA || reconcile.NewFrontProxy(l.CA.Certificate, f.CAs, f.AllowedNames, l.Now()).SharedCA
	}
	for _, u := range l.Inventory.Users {
		if why := f.Impersonates(u.Name); why != "" {
			return broken(errors.New(why))
		}
	}
	switch why := f.ForgeableByAll(); {
	case why != "" && l.AcceptSharedCA:
		return warning(why, ownCA)
	case why != "":
		return broken(reconcile.WithHint(errors.New(why), ownCA))
	case f.SharedCA:
		return warning(fmt.Sprintf("one CA signs for clients and for front proxies; front proxies are accepted by name: %q", f.AllowedNames), ownCA)
	}
	return passed("no client certificate works as a front proxy's")
}
