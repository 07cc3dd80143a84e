package reconcile

import (
	"cmp"
	"fmt"
	"slices"
)

// String names a permission as RBAC rules do.
func (p Permission) String() string {
	s := p.Verb + " " + p.Resource
	if p.Group != "" {
		s += "." + p.Group
	}
	if p.Subresource != "" {
		s += "/" + p.Subresource
	}
	if p.Name != "" {
		s += fmt.Sprintf(" %q", p.Name)
	}
	if p.Namespace != "" {
		s += fmt.Sprintf(" in namespace %q", p.Namespace)
	}
	return s
}

// Permissions lists what a plan's steps take in Kubernetes, each once, sorted; issuing is what a certificate takes. Verb
// bind is not among them: who holds all rules of a role needs it not, and only the write itself can tell.
func (p Plan) Permissions(issuing []Permission) []Permission {
	needed := map[Permission]bool{}
	for _, s := range p.Steps {
		if s.Held != "" {
			continue
		}
		if s.Issue != nil {
			for _, perm := range issuing {
				needed[perm] = true
			}
		}
		if s.Binding == nil || s.Reason == Unexpected {
			continue // whoever may make a binding somewhere must not be able to stop a run that may not write there
		}
		perm := Permission{Group: RBACGroup, Resource: "clusterrolebindings", Namespace: s.Binding.Object.Namespace}
		if s.Binding.Object.Kind == RoleBinding {
			perm.Resource = "rolebindings"
		}
		for _, perm.Verb = range s.bindingVerbs() {
			needed[perm] = true
		}
	}
	list := make([]Permission, 0, len(needed))
	for perm := range needed {
		list = append(list, perm)
	}
	slices.SortFunc(list, func(a, b Permission) int { return cmp.Compare(a.String(), b.String()) })
	return list
}

// StoreNeeds lists the users whose entries a plan writes in Vault.
func (p Plan) StoreNeeds() StoreNeeds {
	var n StoreNeeds
	for _, s := range p.Steps {
		if s.Held != "" || s.Revocations != nil {
			continue
		}
		switch s.Action {
		case Issue, Renew, Reissue:
			n.Record = append(n.Record, s.User)
			n.Credential = append(n.Credential, s.User)
		case Remove:
			n.Record = append(n.Record, s.User)
			if s.Leave.Foreign {
				n.Credential = append(n.Credential, s.User)
			} else {
				n.Delete = append(n.Delete, s.User)
			}
		case Purge:
			if slices.Contains(s.Reasons, RetentionPassed) {
				n.Purge = append(n.Purge, s.User)
				continue
			}
			n.Record = append(n.Record, s.User)
			if slices.Contains(s.Reasons, OldVersions) {
				n.Credential = append(n.Credential, s.User)
			}
		}
	}
	return n
}

// AuthenticationConfigMap is where API servers publish, in kube-system, which CAs they trust for clients and for front
// proxies.
const AuthenticationConfigMap = "extension-apiserver-authentication"

// LockName is the name of an owner's Lease, the lock that lets one run at a time write.
func LockName(owner string) string { return "certsync-" + owner }

func leasePermission(owner, namespace, verb string) Permission {
	p := Permission{Verb: verb, Group: "coordination.k8s.io", Resource: "leases", Namespace: namespace}
	if verb != "create" { // which RBAC cannot limit by name: the name is not known yet when it is asked
		p.Name = LockName(owner)
	}
	return p
}

// LeaseHint is the hint for an identity that may not create the owner's Lease. RBAC cannot limit that right to one name, so the
// job has none.
const LeaseHint = "the lock's Lease does not exist, and this identity may not create it: apply the manifests' Lease (certsync manifests)"

// IsLease reports whether a permission is the one to create the owner's Lease.
func (p Permission) IsLease() bool { return p.Verb == "create" && p.Resource == "leases" }

// LockPermissions is what taking an owner's lock takes, in the namespace of its Lease, which exists already or not.
func LockPermissions(owner, namespace string, exists bool) []Permission {
	all := []Permission{leasePermission(owner, namespace, "get"), leasePermission(owner, namespace, "update")}
	if !exists {
		all = append(all, leasePermission(owner, namespace, "create"))
	}
	return all
}

// EventPermission is what telling of a run beside its Lease takes. It is not asked for before a run: one that may not tell
// goes on all the same.
func EventPermission(lock string) Permission {
	return Permission{Verb: "create", Resource: "events", Namespace: lock}
}

// ReadPermissions is what observing a cluster takes, so all that plan and status take. The owner's Lease is in the
// namespace lock.
func ReadPermissions(owner, lock string) []Permission {
	return []Permission{
		{Verb: "list", Group: RBACGroup, Resource: "clusterrolebindings"},
		{Verb: "list", Group: RBACGroup, Resource: "rolebindings"},
		{Verb: "list", Group: RBACGroup, Resource: "clusterroles"},
		{Verb: "list", Group: RBACGroup, Resource: "roles"},
		{Verb: "list", Group: "certificates.k8s.io", Resource: "certificatesigningrequests"},
		{Verb: "list", Resource: "namespaces"},
		{Verb: "get", Resource: "configmaps", Namespace: "kube-system", Name: AuthenticationConfigMap},
		leasePermission(owner, lock, "get"),
	}
}

// WritePermissions is what any apply of an owner may take beyond ReadPermissions, whose Lease exists, and whose inventory
// names these ClusterRoles; issuing is what a certificate takes.
func WritePermissions(owner, lock string, roles []string, issuing []Permission) []Permission {
	var all []Permission
	for _, resource := range []string{"clusterrolebindings", "rolebindings"} {
		for _, verb := range []string{"get", "create", "patch", "delete"} {
			all = append(all, Permission{Verb: verb, Group: RBACGroup, Resource: resource})
		}
	}
	for _, role := range roles {
		all = append(all, BindPermission(role))
	}
	return append(append(all, issuing...), leasePermission(owner, lock, "update"), EventPermission(lock))
}

// PolicyPermissions is what reading an owner's policy for revoked certificates takes, and with write what keeping it in step
// does. Without them certsync works as in a cluster that has none.
func PolicyPermissions(owner string, write bool) []Permission {
	p := Permission{Verb: "get", Group: "admissionregistration.k8s.io", Resource: "validatingadmissionpolicies", Name: RevocationPolicyName(owner)}
	binding, patch := p, p
	binding.Resource, patch.Verb = "validatingadmissionpolicybindings", "patch"
	if !write {
		return []Permission{p, binding}
	}
	return []Permission{p, binding, patch}
}

// BindPermission is the verb bind on a ClusterRole, which a binding to it takes unless all its rules are held.
func BindPermission(role string) Permission {
	return Permission{Verb: "bind", Group: RBACGroup, Resource: "clusterroles", Name: role}
}
