package kube

import (
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certsync/certsync/reconcile"
)

// roomOfNamespace bounds what an observation keeps of one namespace's RoleBindings, and of its Roles, in bytes. An admin of the
// namespace can make hundreds of megabytes of them. That is space for 10,000 bindings of two or three subjects each.
const roomOfNamespace = 8 << 20

// The bytes that an object takes in memory beside its strings, at most. A subject is also in package access's index.
const (
	objectBytes  = 512
	subjectBytes = 256
	ruleBytes    = 128
	textBytes    = 16
)

// room is the memory for objects that tenants make, by namespace. It has no bound in kube-system, where only administrators make any.
type room struct {
	used   map[string]int
	partly map[string]bool // namespaces with an object that did not fit
}

func newRoom() *room { return &room{map[string]int{}, map[string]bool{}} }

// fits reports whether there is room for an object, and takes it.
func (r *room) fits(namespace string, bytes int) bool {
	if r.used[namespace]+bytes > roomOfNamespace && namespace != metav1.NamespaceSystem {
		r.partly[namespace] = true
		return false
	}
	r.used[namespace] += bytes
	return true
}

func bindingBytes(b *rbacv1.RoleBinding) int {
	n := objectBytes + len(b.Name) + len(b.RoleRef.Name)
	for _, label := range []string{reconcile.ManagedByLabel, reconcile.OwnerLabel} {
		n += len(b.Labels[label])
	}
	for _, s := range b.Subjects {
		n += subjectBytes + len(s.Name) + len(s.Namespace)
	}
	return n
}

func roleBytes(r *rbacv1.Role) int {
	n := objectBytes + len(r.Name)
	for _, rule := range r.Rules {
		n += ruleBytes
		for _, list := range [][]string{rule.Verbs, rule.APIGroups, rule.Resources, rule.ResourceNames, rule.NonResourceURLs} {
			for _, text := range list {
				n += textBytes + len(text)
			}
		}
	}
	return n
}
