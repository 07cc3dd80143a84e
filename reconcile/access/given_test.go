package access

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
)

// TestOf: the rules of all bindings that serve a name, its groups or everybody count, each where it is bound, and what Kubernetes
// gives everybody by default does not.
func TestOf(t *testing.T) {
	rule := func(verb, group, resource string) reconcile.Rule {
		return reconcile.Rule{Verbs: []string{verb}, Groups: []string{group}, Resources: []string{resource}}
	}
	discovery := reconcile.Rule{Verbs: []string{"get"}, URLs: []string{"/version", "/api/*"}}
	metrics := reconcile.Rule{Verbs: []string{"get"}, URLs: []string{"/metrics"}}
	rules := map[reconcile.Role][]reconcile.Rule{
		{Name: "view"}:                          {rule("get", "", "pods")},
		{Name: "system:discovery"}:              {discovery, metrics},
		{Name: "none"}:                          {{Verbs: []string{"get"}}, {Groups: []string{""}, Resources: []string{"pods"}}},
		{Name: "mixed"}:                         {{Verbs: []string{"get"}, Groups: []string{""}, Resources: []string{"pods"}, URLs: []string{"/x"}}},
		{Namespace: "payments", Name: "view"}:   {rule("list", "", "secrets")},
		{Namespace: "elsewhere", Name: "payer"}: {rule("create", "", "secrets")},
	}
	group := func(name string) reconcile.Subject {
		return reconcile.Subject{Kind: "Group", APIGroup: reconcile.RBACGroup, Name: name}
	}
	bound := map[reconcile.Subject][]*reconcile.Binding{}
	bind := func(s reconcile.Subject, namespace, kind, role string) {
		b := reconcile.Binding{Kind: reconcile.ClusterRoleBinding, Namespace: namespace, Name: fmt.Sprintf("%s-%s", s.Name, role), RoleRef: reconcile.RoleRef{Kind: kind, Name: role}}
		if namespace != "" {
			b.Kind = reconcile.RoleBinding
		}
		bound[s] = append(bound[s], &b)
	}
	bind(reconcile.UserSubject("alice"), "", "ClusterRole", "view")
	bind(reconcile.UserSubject("alice"), "payments", "Role", "view")
	bind(reconcile.UserSubject("alice"), "payments", "Role", "payer") // that role is in another namespace
	bind(reconcile.UserSubject("alice"), "", "ClusterRole", "missing")
	bind(reconcile.UserSubject("alice"), "", "ClusterRole", "none")
	bind(reconcile.UserSubject("alice#2"), "", "ClusterRole", "view")
	bind(group("devs"), "staging", "ClusterRole", "mixed") // a RoleBinding gives nothing on URLs
	bind(group("others"), "", "ClusterRole", "view")
	bind(group(Authenticated), "", "ClusterRole", "system:discovery") // which somebody has widened
	bound[reconcile.UserSubject("alice")][0].Name = "certsync:other:user:alice:view"
	l := NewLookup(func(s reconcile.Subject) []*reconcile.Binding { return bound[s] }, rules)
	got := l.Of(l.Served("alice", []string{"devs", "devs"}))
	want := []Given{
		{"ClusterRoleBinding certsync:other:user:alice:view", "other", "", "User/alice", "ClusterRole/view", []reconcile.Rule{rule("get", "", "pods")}, 0, 0},
		{"ClusterRoleBinding system:authenticated-system:discovery", "", "", "Group/system:authenticated", "ClusterRole/system:discovery", []reconcile.Rule{metrics}, 0, 0},
		{"RoleBinding payments/alice-view", "", "payments", "User/alice", "Role/view", []reconcile.Rule{rule("list", "", "secrets")}, 0, 0},
		{"RoleBinding staging/devs-mixed", "", "staging", "Group/devs", "ClusterRole/mixed", []reconcile.Rule{rule("get", "", "pods")}, 0, 0},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestOfMany: of a namespace with thousands of roles, the strongest are listed, and how many there are more. Bindings of one role count
// once. Elsewhere nothing is left out.
func TestOfMany(t *testing.T) {
	rules := map[reconcile.Role][]reconcile.Rule{{Name: "view"}: {{Verbs: []string{"get"}, Groups: []string{""}, Resources: []string{"pods"}}}}
	var bound []*reconcile.Binding
	bind := func(namespace, name, role string) {
		b := reconcile.Binding{Kind: reconcile.ClusterRoleBinding, Namespace: namespace, Name: name, RoleRef: reconcile.RoleRef{Kind: "ClusterRole", Name: role}}
		if namespace != "" {
			b.Kind = reconcile.RoleBinding
		}
		bound = append(bound, &b)
	}
	for i := range 10 * MaxRoles {
		role := fmt.Sprintf("weak%03d", i)
		rules[reconcile.Role{Name: role}] = rules[reconcile.Role{Name: "view"}]
		bind("mine", role, role)
		bind("mine", fmt.Sprintf("again%03d", i), "view")
		bind("", role, role)
	}
	rules[reconcile.Role{Name: "zz"}] = []reconcile.Rule{{Verbs: []string{"create"}, Groups: []string{""}, Resources: []string{"pods"}}}
	bind("mine", "zz", "zz")
	bind("yours", "one", "view")
	count, more, also, strong := map[string]int{}, 0, 0, false
	l := NewLookup(func(s reconcile.Subject) []*reconcile.Binding {
		if s.Kind == "User" {
			return bound
		}
		return nil
	}, rules)
	for _, g := range l.Of(l.Served("alice", nil)) {
		count[g.Namespace]++
		more, also, strong = more+g.More, also+g.Also, strong || g.Role == "ClusterRole/zz"
	}
	if diff := cmp.Diff(map[string]int{"": 10 * MaxRoles, "mine": MaxRoles, "yours": 1}, count); diff != "" || more != 9*MaxRoles+2 || !strong {
		t.Errorf("%s%d more, %d also, the strongest is listed: %t", diff, more, also, strong)
	}
}
