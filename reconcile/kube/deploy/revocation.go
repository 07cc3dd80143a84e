package deploy

import (
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/revocation"
)

// revokedMessage is what the holder of a revoked certificate reads.
const revokedMessage = "certsync has revoked this certificate: fetch the present kubeconfig from Vault, or ask an administrator of the cluster"

// RevocationPolicy returns the ValidatingAdmissionPolicy that denies all writes of these certificates, and its binding.
//
// The policy without entries has no validations at all: they are certsync's alone. kubectl apply leaves a field alone that the
// manifests do not have, and so the list too. The API server requires validations or an audit annotation. The policy has one
// annotation, whose value is empty and never recorded.
func RevocationPolicy(owner string, entries []reconcile.RevokedCertificate) []runtime.Object {
	name, labels := reconcile.RevocationPolicyName(owner), Deployment{Owner: owner}.labels()
	meta := metav1.ObjectMeta{Name: name, Labels: labels}
	fail, equivalent := admissionv1.Fail, admissionv1.Equivalent
	return []runtime.Object{
		&admissionv1.ValidatingAdmissionPolicy{
			TypeMeta: kind(admissionv1.SchemeGroupVersion, "ValidatingAdmissionPolicy"), ObjectMeta: meta,
			Spec: admissionv1.ValidatingAdmissionPolicySpec{
				FailurePolicy: &fail,
				MatchConstraints: &admissionv1.MatchResources{
					MatchPolicy: &equivalent,
					ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: admissionv1.RuleWithOperations{
						Operations: []admissionv1.OperationType{admissionv1.OperationAll},
						Rule:       admissionv1.Rule{APIGroups: []string{"*"}, APIVersions: []string{"*"}, Resources: []string{"*/*"}},
					}}},
				},
				MatchConditions:  matchConditions(),
				AuditAnnotations: []admissionv1.AuditAnnotation{{Key: "revocations", ValueExpression: "''"}},
				Validations:      RevocationValidations(entries),
			},
		},
		&admissionv1.ValidatingAdmissionPolicyBinding{
			TypeMeta: kind(admissionv1.SchemeGroupVersion, "ValidatingAdmissionPolicyBinding"), ObjectMeta: meta,
			Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
				PolicyName: name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
			},
		},
	}
}

func matchConditions() []admissionv1.MatchCondition {
	var all []admissionv1.MatchCondition
	for _, c := range revocation.Admission.Conditions() {
		all = append(all, admissionv1.MatchCondition{Name: c.Name, Expression: c.Expression})
	}
	return all
}

// RevocationValidations returns the validations that deny these certificates.
func RevocationValidations(entries []reconcile.RevokedCertificate) []admissionv1.Validation {
	forbidden := metav1.StatusReasonForbidden
	var all []admissionv1.Validation
	for _, expression := range revocation.Denials(entries) {
		all = append(all, admissionv1.Validation{Expression: expression, Message: revokedMessage, Reason: &forbidden})
	}
	return all
}
