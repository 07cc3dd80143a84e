package deploy

import (
	"fmt"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/certsync/certsync/reconcile"
)

// admission returns the admission policies that limit the account further than RBAC can. RBAC gives the right to write
// bindings of every name, and to approve and delete the requests of everybody.
func (d Deployment) admission() []runtime.Object {
	prefix := reconcile.BindingPrefix(d.Owner)
	bindings := d.policy("-bindings", admissionv1.Validation{
		// A DELETE has only an old object.
		Expression: fmt.Sprintf("(request.operation == 'DELETE' ? oldObject : object).metadata.name.startsWith('%s')", prefix),
		Message:    fmt.Sprintf("certsync for owner %s writes only bindings whose names begin with %s", d.Owner, prefix),
	}, onResources(rbacv1.SchemeGroupVersion, []string{"clusterrolebindings", "rolebindings"},
		admissionv1.Create, admissionv1.Update, admissionv1.Delete))
	requests := d.policy("-requests", admissionv1.Validation{
		Expression: "oldObject.spec.username == request.userInfo.username",
		Message:    "certsync approves and deletes only the CertificateSigningRequests that it created itself",
	}, onResources(certificatesv1.SchemeGroupVersion, []string{"certificatesigningrequests"}, admissionv1.Delete),
		onResources(certificatesv1.SchemeGroupVersion, []string{"certificatesigningrequests/approval"}, admissionv1.Update))
	return append(bindings, requests...)
}

// onResources returns the rule that selects operations on resources.
func onResources(version schema.GroupVersion, resources []string, operations ...admissionv1.OperationType) admissionv1.NamedRuleWithOperations {
	return admissionv1.NamedRuleWithOperations{RuleWithOperations: admissionv1.RuleWithOperations{
		Operations: operations,
		Rule:       admissionv1.Rule{APIGroups: []string{version.Group}, APIVersions: []string{version.Version}, Resources: resources},
	}}
}

// policy returns a ValidatingAdmissionPolicy for the account's requests, and its binding. If the API server cannot evaluate it,
// the request is denied.
func (d Deployment) policy(suffix string, must admissionv1.Validation, on ...admissionv1.NamedRuleWithOperations) []runtime.Object {
	meta, fail, forbidden := d.meta(suffix, ""), admissionv1.Fail, metav1.StatusReasonForbidden
	must.Reason = &forbidden // the default is Invalid
	return []runtime.Object{
		&admissionv1.ValidatingAdmissionPolicy{
			TypeMeta: kind(admissionv1.SchemeGroupVersion, "ValidatingAdmissionPolicy"), ObjectMeta: meta,
			Spec: admissionv1.ValidatingAdmissionPolicySpec{
				FailurePolicy:    &fail,
				MatchConstraints: &admissionv1.MatchResources{ResourceRules: on},
				MatchConditions: []admissionv1.MatchCondition{{
					Name: "by-certsync", Expression: fmt.Sprintf("request.userInfo.username == '%s'", d.username(ApplyAccount)),
				}},
				Validations: []admissionv1.Validation{must},
			},
		},
		&admissionv1.ValidatingAdmissionPolicyBinding{
			TypeMeta: kind(admissionv1.SchemeGroupVersion, "ValidatingAdmissionPolicyBinding"), ObjectMeta: meta,
			Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
				PolicyName: meta.Name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
			},
		},
	}
}
