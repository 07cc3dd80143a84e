package plan

import (
	"fmt"
	"strings"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/plan/index"
)

// The power of somebody who may write in a namespace of certsync's own.
const (
	runsHere = "anybody who may create pods, exec into them, create tokens or write ConfigMaps there can act as certsync, and is as good as cluster-admin"
	lockHere = "anybody who may write Leases there can keep certsync from running, or take the lock from a run"
	anywhere = "in every namespace, including the namespaces of certsync's own job and its lock: "
)

// everybody are names of Kubernetes' own that anybody has, or that whatever runs in the cluster has.
var everybody = map[string]bool{
	"system:authenticated": true, "system:unauthenticated": true, "system:anonymous": true, "system:serviceaccounts": true,
}

// ownNamespaces notes who gets something where certsync itself runs, and where its lock is.
func ownNamespaces(x *index.Index) []reconcile.Note {
	if x.Rules.Namespace == "" {
		return nil
	}
	var all []reconcile.Note
	for g := range x.Wanted {
		danger := danger(x, g)
		if danger == "" {
			continue
		}
		n := reconcile.Note{Kind: reconcile.OwnNamespace, User: g.Subject}
		if g.For == reconcile.ForGroup {
			n.User, n.Group = "", g.Subject
		}
		n.Message = fmt.Sprintf("is granted %s: %s", g, danger)
		all = append(all, n)
	}
	for _, b := range x.Observed.Bindings {
		danger := dangerIn(x, b.Namespace)
		if _, ours := x.Ours[b.Object()]; danger == "" || ours {
			continue // ours is told as the grant that it stands for
		}
		if subject := outsider(x, b); subject != "" {
			all = append(all, reconcile.Note{Kind: reconcile.OwnNamespace, Object: reconcile.Shown(b.Object()), Message: fmt.Sprintf(
				"gives %s %s, and is not certsync's: %s", subject, roleOf(b), danger)})
		}
	}
	return all
}

// dangerIn says what may be done to certsync in a namespace, or "".
func dangerIn(x *index.Index, namespace string) string {
	switch namespace {
	case "": // a ClusterRoleBinding's
	case x.Rules.Namespace:
		return runsHere
	case x.Rules.LockNamespace:
		return lockHere
	}
	return ""
}

// danger says what a grant may let its subjects do to certsync itself. It does not know what a role of the cluster's
// own making allows, so it names any role in these namespaces. Elsewhere it names only those that may write in all of them, by
// the names that Kubernetes gives them. A cluster-admin needs no detour.
func danger(x *index.Index, g reconcile.Grant) string {
	if g.Namespace == "" && (g.Role == "edit" || g.Role == "admin") {
		return anywhere + runsHere
	}
	return dangerIn(x, g.Namespace)
}

// outsider names the first subject of a binding that is a person, a group of people, or what runs in another namespace,
// and so whoever may run something there; or "". Where only the lock is, the last are no news: in kube-system, where
// controllers have their own locks, each has a binding for that, certsync's job among them.
func outsider(x *index.Index, b reconcile.Binding) string {
	for _, s := range b.Subjects {
		s = reconcile.Authorized(s)
		switch {
		case s.Kind == "ServiceAccount" && b.Namespace != x.Rules.Namespace:
		case s.Kind == "ServiceAccount" && s.Namespace != b.Namespace:
			return fmt.Sprintf("ServiceAccount %q", reconcile.Shown(s.Namespace+"/"+s.Name))
		case s.APIGroup == reconcile.RBACGroup && (s.Kind == "User" || s.Kind == "Group") && !internal(s.Name, b.Namespace):
			return fmt.Sprintf("%s %q", s.Kind, reconcile.Shown(s.Name))
		}
	}
	return ""
}

// internal reports a name that only parts of Kubernetes and the service accounts of a namespace have.
func internal(name, namespace string) bool {
	if account, ok := strings.CutPrefix(name, "system:serviceaccount:"); ok {
		return strings.HasPrefix(account, namespace+":")
	}
	if of, ok := strings.CutPrefix(name, "system:serviceaccounts:"); ok {
		return of == namespace
	}
	return strings.HasPrefix(name, "system:") && !everybody[name]
}
