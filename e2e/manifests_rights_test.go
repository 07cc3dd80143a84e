package e2e

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// right is the least that a role can lack.
type right struct{ Verb, Group, Resource, Subresource, Name, Namespace string }

// spelledOut are the rights in a rule.
func spelledOut(namespace string, rule rbacv1.PolicyRule) []right {
	names := rule.ResourceNames
	if len(names) == 0 {
		names = []string{""}
	}
	var all []right
	for _, group := range rule.APIGroups {
		for _, resource := range rule.Resources {
			resource, sub, _ := strings.Cut(resource, "/")
			for _, name := range names {
				for _, verb := range rule.Verbs {
					all = append(all, right{verb, group, resource, sub, name, namespace})
				}
			}
		}
	}
	return all
}

// rule is a right as a rule of its own.
func (r right) rule() rbacv1.PolicyRule {
	rule := rbacv1.PolicyRule{Verbs: []string{r.Verb}, APIGroups: []string{r.Group}, Resources: []string{strings.TrimSuffix(r.Resource+"/"+r.Subresource, "/")}}
	if r.Name != "" {
		rule.ResourceNames = []string{r.Name}
	}
	return rule
}

// rights are those in the roles of an account, each once.
func (d *deployed) rights(account string) []right {
	d.Helper()
	name := "certsync-" + d.owner + strings.TrimPrefix(account, "certsync")
	rbac := d.client().RbacV1()
	cluster, err := rbac.ClusterRoles().Get(d.Context(), name, metav1.GetOptions{})
	d.ok(err)
	var all []right
	for _, rule := range cluster.Rules {
		all = append(all, spelledOut("", rule)...)
	}
	roles, err := rbac.Roles("").List(d.Context(), metav1.ListOptions{FieldSelector: "metadata.name=" + name})
	d.ok(err)
	for _, role := range roles.Items {
		for _, rule := range role.Rules {
			all = append(all, spelledOut(role.Namespace, rule)...)
		}
	}
	return all
}

// without takes one right from an account, and gives back all others. It waits until the API server knows.
func (d *deployed) without(account string, all []right, taken right) {
	d.Helper()
	name := "certsync-" + d.owner + strings.TrimPrefix(account, "certsync")
	in := map[string][]rbacv1.PolicyRule{}
	for _, r := range all {
		rules := in[r.Namespace]
		if r != taken {
			rules = append(rules, r.rule())
		}
		in[r.Namespace] = rules
	}
	rbac, meta := d.client().RbacV1(), metav1.ObjectMeta{Name: name}
	for namespace, rules := range in {
		var err error
		if namespace == "" {
			_, err = rbac.ClusterRoles().Update(d.Context(), &rbacv1.ClusterRole{ObjectMeta: meta, Rules: rules}, metav1.UpdateOptions{})
		} else {
			_, err = rbac.Roles(namespace).Update(d.Context(), &rbacv1.Role{ObjectMeta: meta, Rules: rules}, metav1.UpdateOptions{})
		}
		d.ok(err)
	}
	d.eventually(fmt.Sprintf("%+v to be taken", taken), func() bool {
		return !slices.ContainsFunc(all, func(r right) bool { return d.may(account, r) == (r == taken) })
	})
}

// may asks the API server.
func (d *deployed) may(account string, r right) bool {
	d.Helper()
	review, err := d.admins.AuthorizationV1().SubjectAccessReviews().Create(d.Context(), &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{
			User: d.username(account),
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Verb: r.Verb, Group: r.Group, Resource: r.Resource, Subresource: r.Subresource, Name: r.Name, Namespace: r.Namespace,
			},
		},
	}, metav1.CreateOptions{})
	d.ok(err)
	return review.Status.Allowed
}

// capability is the least that a policy of Vault's can lack.
type capability struct{ path, name string }

var policyLine = regexp.MustCompile(`path "([^"]+)" \{ capabilities = \["([^\]]+)"\] \}`)

// capabilities are those in the policy of an account, each once.
func (d *deployed) capabilities(account string) []capability {
	d.Helper()
	rules, err := d.vault.Sys().GetPolicy("certsync-" + d.owner + strings.TrimPrefix(account, "certsync"))
	d.ok(err)
	var all []capability
	for _, m := range policyLine.FindAllStringSubmatch(rules, -1) {
		for _, name := range strings.Split(m[2], `", "`) {
			all = append(all, capability{m[1], name})
		}
	}
	if len(all) == 0 {
		d.Fatalf("no capabilities in %s", rules)
	}
	return all
}

// withoutCapabilities takes some from an account's policy, and gives back all others. Vault knows at once.
func (d *deployed) withoutCapabilities(account string, all []capability, taken ...capability) {
	d.Helper()
	in := map[string][]string{}
	for _, c := range all {
		if !slices.Contains(taken, c) {
			in[c.path] = append(in[c.path], c.name)
		}
	}
	var rules strings.Builder
	for path, names := range in {
		fmt.Fprintf(&rules, "path %q { capabilities = [\"%s\"] }\n", path, strings.Join(names, `", "`))
	}
	d.ok(d.vault.Sys().PutPolicy("certsync-"+d.owner+strings.TrimPrefix(account, "certsync"), rules.String()))
}
