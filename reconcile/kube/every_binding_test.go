package kube

import (
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/certsync/certsync/reconcile/kube/apitest"
)

// TestEveryBinding: bindings are listed with no other right than that, and in order.
func TestEveryBinding(t *testing.T) {
	s := apitest.New(t)
	role := object{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
	s.Routes["GET "+rbacPath+"/clusterrolebindings"] = apitest.Paged("rbac.authorization.k8s.io/v1 ClusterRoleBindingList",
		object{"metadata": object{"name": "z"}, "roleRef": role}, object{"metadata": object{"name": "a"}, "roleRef": role})
	s.Routes["GET "+rbacPath+"/rolebindings"] = apitest.Paged("rbac.authorization.k8s.io/v1 RoleBindingList",
		object{"metadata": object{"name": "a", "namespace": "two"}, "roleRef": role}, object{"metadata": object{"name": "b", "namespace": "one"}, "roleRef": role})
	s.Begin()
	all, err := connect(t, s).EveryBinding(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, b := range all {
		got = append(got, b.Object())
	}
	want := []string{"ClusterRoleBinding a", "ClusterRoleBinding z", "RoleBinding one/b", "RoleBinding two/a"}
	if !slices.Equal(got, want) || len(s.Called("")) != 2 {
		t.Errorf("%q, by %d requests", got, len(s.Called("")))
	}
}

// TestEveryBindingOrNone: half of the bindings would be an inventory that lacks people.
func TestEveryBindingOrNone(t *testing.T) {
	s := apitest.New(t)
	s.Routes["GET "+rbacPath+"/clusterrolebindings"] = apitest.Paged("rbac.authorization.k8s.io/v1 ClusterRoleBindingList",
		object{"metadata": object{"name": "z"}})
	s.Routes["GET "+rbacPath+"/rolebindings"] = apitest.Fails(apierrors.NewForbidden(apitest.Resource("certificates.k8s.io", "certificatesigningrequests"), "", apitest.MissingRight("list", "rolebindings")))
	s.Begin()
	all, err := connect(t, s).EveryBinding(t.Context())
	if all != nil || err == nil || !strings.Contains(err.Error(), "listing rolebindings") {
		t.Errorf("%v, %v", all, err)
	}
}
