package usage

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
)

// TestParseReason: which binding a reason names.
func TestParseReason(t *testing.T) {
	view := reconcile.RoleRef{Kind: "ClusterRole", Name: "view"}
	for sentence, tt := range map[string]struct {
		text string
		want Binding
	}{
		"cluster-wide, to a user":         {`RBAC: allowed by ClusterRoleBinding "certsync:prod:user:alice:view" of ClusterRole "view" to User "alice#2"`, Binding{reconcile.ClusterRoleBinding, "", "certsync:prod:user:alice:view", view}},
		"in a namespace, to a group":      {`RBAC: allowed by RoleBinding "x/payments" of Role "r" to Group "g"`, Binding{reconcile.RoleBinding, "payments", "x", reconcile.RoleRef{Kind: "Role", Name: "r"}}},
		"a ClusterRole in a namespace":    {`RBAC: allowed by RoleBinding "x/payments" of ClusterRole "view" to ServiceAccount "a/b"`, Binding{reconcile.RoleBinding, "payments", "x", view}},
		"names with quotes and spaces":    {`RBAC: allowed by ClusterRoleBinding "a\" of ClusterRole \"view\" to \\\u00e4" of ClusterRole "view" to User "x"`, Binding{reconcile.ClusterRoleBinding, "", `a" of ClusterRole "view" to \` + "\u00e4", view}},
		"nothing":                         {"", Binding{}},
		"another authorizer":              {"allowed by ClusterRoleBinding", Binding{}},
		"another kind":                    {`RBAC: allowed by Binding "x" of ClusterRole "view" to User "x"`, Binding{}},
		"a RoleBinding of no namespace":   {`RBAC: allowed by RoleBinding "x" of ClusterRole "view" to User "x"`, Binding{}},
		"no quotes":                       {`RBAC: allowed by ClusterRoleBinding x of ClusterRole view to User x`, Binding{}},
		"a name without an end":           {`RBAC: allowed by ClusterRoleBinding "x`, Binding{}},
		"no role":                         {`RBAC: allowed by ClusterRoleBinding "x" to User "x"`, Binding{}},
		"a role without a name":           {`RBAC: allowed by ClusterRoleBinding "x" of ClusterRole`, Binding{}},
		"nobody":                          {`RBAC: allowed by ClusterRoleBinding "x" of ClusterRole "view"`, Binding{}},
		"longer than any that we can use": {`RBAC: allowed by ClusterRoleBinding "` + strings.Repeat("x", maxReason) + `" of ClusterRole "view" to User "x"`, Binding{}},
	} {
		got, ok := parseReason(tt.text)
		if diff := cmp.Diff(tt.want, got); diff != "" || ok != (tt.want != Binding{}) {
			t.Errorf("%s: %v, %s", sentence, ok, diff)
		}
	}
}
