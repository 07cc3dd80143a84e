package csr

import (
	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/certsync/certsync/reconcile"
)

// Permissions returns the permissions that Issue needs.
func (i *Issuer) Permissions() []reconcile.Permission { return Permissions(i.options.Manual) }

// Permissions returns the permissions that an Issuer needs. With manual, people approve, and certsync needs no right to: an
// account that cannot approve for this signer cannot make itself an administrator.
func Permissions(manual bool) []reconcile.Permission {
	request := reconcile.Permission{Group: certificatesv1.GroupName, Resource: "certificatesigningrequests"}
	var all []reconcile.Permission
	for _, verb := range []string{"create", "get", "list", "watch", "delete"} {
		request.Verb = verb
		all = append(all, request)
	}
	if manual {
		return all
	}
	approval := request
	approval.Verb, approval.Subresource = "update", "approval"
	return append(all, approval, reconcile.Permission{
		Verb: "approve", Group: certificatesv1.GroupName, Resource: "signers", Name: certificatesv1.KubeAPIServerClientSignerName,
	})
}
