// Package rights lists what certsync needs to be allowed in Kubernetes: to read, to write, to lock, to bind. preflight asks for these
// permissions, manifests grants them, and apply asks before its first write. The package is pure.
package rights

import "github.com/certsync/certsync/reconcile"

func lease(owner, namespace, verb string) reconcile.Permission {
	p := reconcile.Permission{Verb: verb, Group: "coordination.k8s.io", Resource: "leases", Namespace: namespace}
	if verb != "create" { // which RBAC cannot limit by name: the name is not known yet when it is asked
		p.Name = reconcile.LockName(owner)
	}
	return p
}

// LeaseHint is the hint for an identity that may not create the owner's Lease. RBAC cannot limit that right to one name, so the
// job has none.
const LeaseHint = "the lock's Lease does not exist, and this identity may not create it: apply the manifests' Lease (certsync manifests)"

// IsLease reports whether a permission is the one to create the owner's Lease.
func IsLease(p reconcile.Permission) bool { return p.Verb == "create" && p.Resource == "leases" }

// Lock is what taking an owner's lock takes, in the namespace of its Lease, which exists already or not.
func Lock(owner, namespace string, exists bool) []reconcile.Permission {
	all := []reconcile.Permission{lease(owner, namespace, "get"), lease(owner, namespace, "update")}
	if !exists {
		all = append(all, lease(owner, namespace, "create"))
	}
	return all
}

// Event is what telling of a run beside its Lease takes. It is not asked for before a run: one that may not tell
// goes on all the same.
func Event(lock string) reconcile.Permission {
	return reconcile.Permission{Verb: "create", Resource: "events", Namespace: lock}
}

// Read is what observing a cluster takes, so all that plan and status take. The owner's Lease is in the
// namespace lock.
func Read(owner, lock string) []reconcile.Permission {
	return []reconcile.Permission{
		{Verb: "list", Group: reconcile.RBACGroup, Resource: "clusterrolebindings"},
		{Verb: "list", Group: reconcile.RBACGroup, Resource: "rolebindings"},
		{Verb: "list", Group: reconcile.RBACGroup, Resource: "clusterroles"},
		{Verb: "list", Group: reconcile.RBACGroup, Resource: "roles"},
		{Verb: "list", Group: "certificates.k8s.io", Resource: "certificatesigningrequests"},
		{Verb: "list", Resource: "namespaces"},
		{Verb: "get", Resource: "configmaps", Namespace: "kube-system", Name: reconcile.AuthenticationConfigMap},
		lease(owner, lock, "get"),
	}
}

// Write is what any apply of an owner may take beyond Read, whose Lease exists, and whose inventory
// names these ClusterRoles and Roles; issuing is what a certificate takes.
func Write(owner, lock string, clusterRoles, roles []string, issuing []reconcile.Permission) []reconcile.Permission {
	var all []reconcile.Permission
	for _, resource := range []string{"clusterrolebindings", "rolebindings"} {
		for _, verb := range []string{"get", "create", "patch", "delete"} {
			all = append(all, reconcile.Permission{Verb: verb, Group: reconcile.RBACGroup, Resource: resource})
		}
	}
	for _, role := range clusterRoles {
		all = append(all, Bind(reconcile.ClusterRole, role))
	}
	for _, role := range roles {
		all = append(all, Bind(reconcile.NamespaceRole, role))
	}
	return append(append(all, issuing...), lease(owner, lock, "update"), Event(lock))
}

// Policy is what reading an owner's policy for revoked certificates takes, and with write what keeping it in step
// does. Without them certsync works as in a cluster that has none.
func Policy(owner string, write bool) []reconcile.Permission {
	p := reconcile.Permission{Verb: "get", Group: "admissionregistration.k8s.io", Resource: "validatingadmissionpolicies", Name: reconcile.RevocationPolicyName(owner)}
	binding, patch := p, p
	binding.Resource, patch.Verb = "validatingadmissionpolicybindings", "patch"
	if !write {
		return []reconcile.Permission{p, binding}
	}
	return []reconcile.Permission{p, binding, patch}
}

// Bind is the verb bind on a ClusterRole, or on the Roles of a name in every namespace. A binding to one takes it unless all its
// rules are held. It is not limited to namespaces: a selector can match any.
func Bind(kind reconcile.RoleKind, role string) reconcile.Permission {
	p := reconcile.Permission{Verb: "bind", Group: reconcile.RBACGroup, Resource: "clusterroles", Name: role}
	if kind == reconcile.NamespaceRole {
		p.Resource = "roles"
	}
	return p
}
