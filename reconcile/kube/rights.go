package kube

import (
	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/certsync/certsync/reconcile"
)

// Permissions lists what Issue takes. Where people approve, certsync needs no right to: an account that cannot approve
// for this signer cannot make itself an administrator either.
func (i *Issuer) Permissions() []reconcile.Permission {
	request := reconcile.Permission{Group: certificatesv1.GroupName, Resource: "certificatesigningrequests"}
	var all []reconcile.Permission
	for _, verb := range []string{"create", "get", "list", "watch", "delete"} {
		request.Verb = verb
		all = append(all, request)
	}
	if i.options.Manual {
		return all
	}
	approval := request
	approval.Verb, approval.Subresource = "update", "approval"
	return append(all, approval, reconcile.Permission{
		Verb: "approve", Group: certificatesv1.GroupName, Resource: "signers", Name: certificatesv1.KubeAPIServerClientSignerName,
	})
}
