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
