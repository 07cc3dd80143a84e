package deploy

import (
	"cmp"
	"maps"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/access"
	"github.com/certsync/certsync/reconcile/rights"
)

// planPermissions returns the permissions that plan needs.
func (d Deployment) planPermissions() []reconcile.Permission {
	return append(d.readPermissions(), d.policyPermissions(false)...)
}

// readPermissions returns the permissions that observing the cluster needs. Some providers, such as GKE Autopilot, let nobody
// create a Role in kube-system. If the Lease is elsewhere, the ClusterRole allows to read the one ConfigMap there, by its name.
func (d Deployment) readPermissions() []reconcile.Permission {
	all := rights.Read(d.Owner, d.LockNamespace)
	for i, p := range all {
		if p.Namespace == metav1.NamespaceSystem && d.LockNamespace != metav1.NamespaceSystem {
			all[i].Namespace = ""
		}
	}
	return all
}

// policyPermissions returns the permissions on the admission policy for revoked certificates, if there is one.
func (d Deployment) policyPermissions(write bool) []reconcile.Permission {
	if !d.Revocation {
		return nil
	}
	return rights.Policy(d.Owner, write)
}

// applyPermissions returns the permissions that apply needs in a cluster that has the owner's Lease.
func (d Deployment) applyPermissions() []reconcile.Permission {
	needed := append(d.readPermissions(), d.policyPermissions(true)...)
	needed = append(needed, rights.Write(d.Owner, d.LockNamespace, d.ClusterRoles, d.Roles, d.Issuing)...)
	return append(needed, access.AskPermission)
}

// rights returns the roles that allow these permissions and no others, and their bindings to an account. There is one
// ClusterRole, and one Role for each namespace of a permission.
func (d Deployment) rights(account, suffix string, permissions []reconcile.Permission) []runtime.Object {
	in := map[string][]reconcile.Permission{}
	for _, p := range permissions {
		in[p.Namespace] = append(in[p.Namespace], p)
	}
	subjects := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: account, Namespace: d.Namespace}}
	var objects []runtime.Object
	for _, namespace := range slices.Sorted(maps.Keys(in)) {
		meta, rules := d.meta(suffix, namespace), rulesFor(in[namespace])
		ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name}
		if namespace != "" {
			objects = append(objects,
				&rbacv1.Role{TypeMeta: kind(rbacv1.SchemeGroupVersion, "Role"), ObjectMeta: meta, Rules: rules},
				&rbacv1.RoleBinding{TypeMeta: kind(rbacv1.SchemeGroupVersion, "RoleBinding"), ObjectMeta: meta, RoleRef: ref, Subjects: subjects})
			continue
		}
		ref.Kind = "ClusterRole"
		objects = append(objects,
			&rbacv1.ClusterRole{TypeMeta: kind(rbacv1.SchemeGroupVersion, "ClusterRole"), ObjectMeta: meta, Rules: rules},
			// Its name must not begin with certsync:<owner>: as the account may delete such bindings.
			&rbacv1.ClusterRoleBinding{TypeMeta: kind(rbacv1.SchemeGroupVersion, "ClusterRoleBinding"), ObjectMeta: meta, RoleRef: ref, Subjects: subjects})
	}
	return objects
}

// verbs are RBAC's verbs in their usual order.
var verbs = []string{"get", "list", "watch", "create", "update", "patch", "delete", "approve", "bind"}

// rulesFor returns RBAC rules for the permissions of one namespace, or of the whole cluster. It joins the verbs of the same
// resource, then resources with the same verbs, then names with the same rules. Each step joins rules that differ in one list
// only, so that the rules allow exactly the permissions.
func rulesFor(permissions []reconcile.Permission) []rbacv1.PolicyRule {
	var rules []rbacv1.PolicyRule
	for _, p := range permissions {
		r := rbacv1.PolicyRule{APIGroups: []string{p.Group}, Resources: []string{p.Resource}, Verbs: []string{p.Verb}}
		if p.Subresource != "" {
			r.Resources[0] += "/" + p.Subresource
		}
		if p.Name != "" {
			r.ResourceNames = []string{p.Name}
		}
		rules = append(rules, r)
	}
	rules = joined(rules, func(r *rbacv1.PolicyRule) *[]string { return &r.Verbs })
	rules = joined(rules, func(r *rbacv1.PolicyRule) *[]string { return &r.Resources })
	rules = joined(rules, func(r *rbacv1.PolicyRule) *[]string {
		if len(r.ResourceNames) == 0 {
			return nil // any name: nothing to add to
		}
		return &r.ResourceNames
	})
	slices.SortFunc(rules, func(a, b rbacv1.PolicyRule) int {
		return cmp.Or(slices.Compare(a.APIGroups, b.APIGroups), slices.Compare(a.Resources, b.Resources), slices.Compare(a.ResourceNames, b.ResourceNames))
	})
	return rules
}

// joined makes one rule of all rules that differ in one list only, and sorts that list.
func joined(rules []rbacv1.PolicyRule, list func(*rbacv1.PolicyRule) *[]string) []rbacv1.PolicyRule {
	var out []rbacv1.PolicyRule
	for _, r := range rules {
		same := slices.IndexFunc(out, func(o rbacv1.PolicyRule) bool {
			a, b := *o.DeepCopy(), *r.DeepCopy()
			x, y := list(&a), list(&b)
			if x == nil || y == nil {
				return false
			}
			*x, *y = nil, nil
			return sameRule(a, b)
		})
		if same < 0 {
			out = append(out, r)
			continue
		}
		into, more := list(&out[same]), *list(&r)
		*into = slices.Concat(*into, more)
		slices.SortFunc(*into, func(a, b string) int {
			return cmp.Or(slices.Index(verbs, a)-slices.Index(verbs, b), cmp.Compare(a, b))
		})
		*into = slices.Compact(*into)
	}
	return out
}

func sameRule(a, b rbacv1.PolicyRule) bool {
	return slices.Equal(a.APIGroups, b.APIGroups) && slices.Equal(a.Resources, b.Resources) &&
		slices.Equal(a.ResourceNames, b.ResourceNames) && slices.Equal(a.Verbs, b.Verbs)
}
