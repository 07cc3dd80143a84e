package kube

import (
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/api"
)

func fromClusterRoleBinding(o *rbacv1.ClusterRoleBinding) reconcile.Binding {
	return fromBinding(reconcile.ClusterRoleBinding, o.ObjectMeta, o.RoleRef, o.Subjects)
}

func fromRoleBinding(o *rbacv1.RoleBinding) reconcile.Binding {
	return fromBinding(reconcile.RoleBinding, o.ObjectMeta, o.RoleRef, o.Subjects)
}

// fromBinding copies strings only, so that the page of the list that they come from can be freed.
func fromBinding(kind reconcile.BindingKind, m metav1.ObjectMeta, role rbacv1.RoleRef, subjects []rbacv1.Subject) reconcile.Binding {
	b := reconcile.Binding{
		Kind:            kind,
		Namespace:       m.Namespace,
		Name:            m.Name,
		UID:             string(m.UID),
		ResourceVersion: m.ResourceVersion,
		ManagedBy:       m.Labels[reconcile.ManagedByLabel],
		Owner:           m.Labels[reconcile.OwnerLabel],
		RoleRef:         reconcile.RoleRef{Kind: role.Kind, Name: role.Name},
		Terminating:     m.DeletionTimestamp != nil,
		CreatedAt:       m.CreationTimestamp.UTC(),
		Copied:          kind == reconcile.RoleBinding && m.Annotations[notPropagated] != "true",
	}
	if len(subjects) > 0 {
		b.Subjects = make([]reconcile.Subject, len(subjects))
	}
	for i, s := range subjects {
		b.Subjects[i] = reconcile.Subject{Kind: shared(s.Kind), APIGroup: shared(s.APIGroup), Namespace: s.Namespace, Name: s.Name}
	}
	return b
}

// sharedTexts are all kinds and API groups of subjects that an API server takes. A list has a copy of them for each subject.
var sharedTexts = map[string]string{"User": "User", "Group": "Group", "ServiceAccount": "ServiceAccount", reconcile.RBACGroup: reconcile.RBACGroup}

// shared returns the one copy of a text that sharedTexts has, or the text.
func shared(text string) string {
	if one, known := sharedTexts[text]; known {
		return one
	}
	return text
}

func toClusterRoleBinding(b reconcile.Binding) *rbacv1.ClusterRoleBinding {
	return &rbacv1.ClusterRoleBinding{ObjectMeta: newMeta(b), RoleRef: toRoleRef(b), Subjects: toSubjects(b.Subjects)}
}

// notPropagated asks the Hierarchical Namespace Controller not to copy a RoleBinding into the namespaces below: a copy would have
// a name of ours, be deleted as unexpected, and come back.
const notPropagated = "propagate.hnc.x-k8s.io/none"

func toRoleBinding(b reconcile.Binding) *rbacv1.RoleBinding {
	meta := newMeta(b)
	meta.Annotations = annotations(b)
	return &rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: toRoleRef(b), Subjects: toSubjects(b.Subjects)}
}

// annotations returns those of a binding. It is nil for a ClusterRoleBinding.
func annotations(b reconcile.Binding) map[string]string {
	if b.Kind != reconcile.RoleBinding {
		return nil
	}
	return map[string]string{notPropagated: "true"}
}

func newMeta(b reconcile.Binding) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name:      b.Name,
		Namespace: b.Namespace,
		Labels:    api.Labels(b.Owner),
	}
}

func toRoleRef(b reconcile.Binding) rbacv1.RoleRef {
	return rbacv1.RoleRef{APIGroup: reconcile.RBACGroup, Kind: b.RoleRef.Kind, Name: b.RoleRef.Name}
}

func toSubjects(list []reconcile.Subject) []rbacv1.Subject {
	subjects := make([]rbacv1.Subject, len(list))
	for i, s := range list {
		subjects[i] = rbacv1.Subject{Kind: s.Kind, APIGroup: s.APIGroup, Namespace: s.Namespace, Name: s.Name}
	}
	return subjects
}

func fromRules(rules []rbacv1.PolicyRule) []reconcile.Rule {
	all := make([]reconcile.Rule, len(rules))
	for i, r := range rules {
		all[i] = reconcile.Rule{Verbs: r.Verbs, Groups: r.APIGroups, Resources: r.Resources, Names: r.ResourceNames, URLs: r.NonResourceURLs}
	}
	return all
}
