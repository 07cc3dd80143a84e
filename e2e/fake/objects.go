package fake

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
)

// object is what stands in a cluster.
type object interface {
	runtime.Object
	metav1.Object
}

type csr = certificatesv1.CertificateSigningRequest

// kind is what the API server knows of a kind of object.
type kind struct {
	schema.GroupVersionKind
	resource   string
	namespaced bool
}

func (k *kind) groupResource() schema.GroupResource {
	return schema.GroupResource{Group: k.Group, Resource: k.resource}
}

// The kinds that certsync knows.
var (
	clusterRoleBindings = &kind{rbacv1.SchemeGroupVersion.WithKind("ClusterRoleBinding"), "clusterrolebindings", false}
	roleBindings        = &kind{rbacv1.SchemeGroupVersion.WithKind("RoleBinding"), "rolebindings", true}
	clusterRoles        = &kind{rbacv1.SchemeGroupVersion.WithKind("ClusterRole"), "clusterroles", false}
	roles               = &kind{rbacv1.SchemeGroupVersion.WithKind("Role"), "roles", true}
	policies            = &kind{admissionv1.SchemeGroupVersion.WithKind("ValidatingAdmissionPolicy"), "validatingadmissionpolicies", false}
	policyBindings      = &kind{admissionv1.SchemeGroupVersion.WithKind("ValidatingAdmissionPolicyBinding"), "validatingadmissionpolicybindings", false}
	namespaces          = &kind{corev1.SchemeGroupVersion.WithKind("Namespace"), "namespaces", false}
	csrs                = &kind{certificatesv1.SchemeGroupVersion.WithKind("CertificateSigningRequest"), "certificatesigningrequests", false}
	events              = &kind{corev1.SchemeGroupVersion.WithKind("Event"), "events", true}
	leases              = &kind{coordinationv1.SchemeGroupVersion.WithKind("Lease"), "leases", true}
	configMaps          = &kind{corev1.SchemeGroupVersion.WithKind("ConfigMap"), "configmaps", true}

	kinds = []*kind{clusterRoleBindings, roleBindings, clusterRoles, roles, namespaces, csrs, leases, events, configMaps, policies, policyBindings}
)

type objectKey struct {
	kind            *kind
	namespace, name string
}

// String names an object as certsync's plans do.
func (k objectKey) String() string {
	if k.kind.namespaced {
		return k.kind.Kind + " " + k.namespace + "/" + k.name
	}
	return k.kind.Kind + " " + k.name
}

func (k objectKey) compare(other objectKey) int {
	return cmp.Or(cmp.Compare(k.kind.Kind, other.kind.Kind), cmp.Compare(k.namespace, other.namespace), cmp.Compare(k.name, other.name))
}

// keys lists the objects of a kind, in one namespace or in all, sorted. The caller holds the lock.
func (w *World) keys(k *kind, namespace string) []objectKey {
	var found []objectKey
	for key := range w.objects {
		if key.kind == k && (namespace == "" || key.namespace == namespace) {
			found = append(found, key)
		}
	}
	slices.SortFunc(found, objectKey.compare)
	return found
}

// Add puts an object into the cluster as somebody else would, or replaces what is there. Of a CertificateSigningRequest
// nothing is cleared or overwritten.
func (w *World) Add(obj runtime.Object) {
	w.mu.Lock()
	defer w.mu.Unlock()
	o := obj.DeepCopyObject().(object)
	gvks, _, err := codecScheme.ObjectKinds(o)
	if err != nil {
		panic(err)
	}
	i := slices.IndexFunc(kinds, func(k *kind) bool { return k.GroupVersionKind == gvks[0] })
	k := kinds[i]
	o.GetObjectKind().SetGroupVersionKind(k.GroupVersionKind)
	key := objectKey{k, o.GetNamespace(), o.GetName()}
	if o.GetUID() == "" {
		o.SetUID(w.newUID())
	}
	if created := o.GetCreationTimestamp(); created.IsZero() {
		o.SetCreationTimestamp(serverTime(w.now()))
	}
	t := watch.Added
	if w.objects[key] != nil {
		t = watch.Modified
	}
	w.store(t, key, o)
}

// Remove takes an object out of the cluster, named as in a plan: "RoleBinding payments/x".
func (w *World) Remove(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, obj := range w.objects {
		if key.String() == name {
			w.store(watch.Deleted, key, obj.DeepCopyObject().(object))
		}
	}
}

// AddNamespaces makes namespaces.
func (w *World) AddNamespaces(names ...string) {
	for _, name := range names {
		w.Add(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
}

// AddClusterRoles makes ClusterRoles, without rules.
func (w *World) AddClusterRoles(names ...string) {
	for _, name := range names {
		w.Add(&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
}

// Dump is all that stands in cluster and Vault, as JSON by name: "ClusterRoleBinding x", "secret/certsync/y". Secrets
// come with the data of all their versions.
func (w *World) Dump() map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := map[string]string{}
	for key, obj := range w.objects {
		all[key.String()] = text(obj)
	}
	for path, s := range w.secrets {
		all[secretName(path)] = text(s)
	}
	return all
}

func text(v any) string {
	var b strings.Builder
	if err := json.NewEncoder(&b).Encode(v); err != nil {
		panic(err)
	}
	return b.String()
}
