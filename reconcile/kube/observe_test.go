package kube

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/apitest"
)

const (
	rbacPath       = "/apis/rbac.authorization.k8s.io/v1"
	policyPath     = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/certsync-prod-eu-revoked"
	namespacesPath = "/api/v1/namespaces"
	csrPath        = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
	leasePath      = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/certsync-prod-eu"
	frontProxyPath = namespacesPath + "/kube-system/configmaps/extension-apiserver-authentication"
)

type object = apitest.Object

func named(name, uid string) object {
	return object{"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": object{"name": name, "uid": uid}}
}

// connect returns a Cluster for a server that has begun.
func connect(t *testing.T, s *apitest.Server) *Cluster {
	t.Helper()
	c, err := newCluster(s.RESTConfig(), s.URL, kubeconfigEntry{name: "test"}, "kube-system")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// observable returns a server with a small cluster in it. A test replaces the routes that it needs.
func observable(t *testing.T) *apitest.Server {
	s := apitest.New(t)
	gone, labelled := named("going", "u3"), named("default", "u1")
	labelled["metadata"].(object)["labels"] = object{"team": "payments"}
	gone["metadata"].(object)["deletionTimestamp"] = "2026-01-02T03:04:05Z"
	s.Routes["GET "+namespacesPath] = apitest.Paged("meta.k8s.io/v1 PartialObjectMetadataList",
		labelled, named("kube-system", "the-cluster"), gone)
	s.Routes["GET "+rbacPath+"/clusterroles"] = apitest.Paged("rbac.authorization.k8s.io/v1 ClusterRoleList", object{"metadata": object{"name": "view", "uid": "u4"}},
		object{"metadata": object{"name": "edit", "uid": "u5"}, "rules": []object{
			{"verbs": []string{"get"}, "apiGroups": []string{""}, "resources": []string{"secrets"}, "resourceNames": []string{"one"}},
			{"verbs": []string{"create"}, "apiGroups": []string{""}, "resources": []string{"pods/exec"}},
		}})
	s.Routes["GET "+rbacPath+"/roles"] = apitest.Paged("rbac.authorization.k8s.io/v1 RoleList", object{"metadata": object{"name": "r", "namespace": "two"},
		"rules": []object{{"verbs": []string{"list"}, "apiGroups": []string{"apps"}, "resources": []string{"deployments"}}}})
	s.Routes["GET "+policyPath] = apitest.Fails(apierrors.NewNotFound(apitest.Resource("admissionregistration.k8s.io", "validatingadmissionpolicies"), "certsync-prod-eu-revoked"))
	s.Routes["GET "+rbacPath+"/clusterrolebindings"] = apitest.Paged("rbac.authorization.k8s.io/v1 ClusterRoleBindingList")
	s.Routes["GET "+rbacPath+"/rolebindings"] = apitest.Paged("rbac.authorization.k8s.io/v1 RoleBindingList")
	s.Routes["GET "+csrPath] = apitest.Paged("certificates.k8s.io/v1 CertificateSigningRequestList")
	s.Routes["GET "+leasePath] = apitest.Fails(apierrors.NewNotFound(apitest.Resource("coordination.k8s.io", "leases"), "certsync-prod-eu"))
	s.Routes["GET "+frontProxyPath] = apitest.Fails(apierrors.NewNotFound(apitest.Resource("", "configmaps"), reconcile.AuthenticationConfigMap))
	return s
}

func TestObserveCluster(t *testing.T) {
	s := observable(t)
	s.Routes["GET "+rbacPath+"/clusterrolebindings"] = apitest.Paged("rbac.authorization.k8s.io/v1 ClusterRoleBindingList",
		object{
			"metadata": object{"name": "z", "uid": "u-z", "resourceVersion": "7", "labels": object{
				"app.kubernetes.io/managed-by": "certsync", "certsync.dev/owner": "prod-eu"}},
			"roleRef": object{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
			"subjects": []object{
				{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "alice"},
				{"kind": "ServiceAccount", "name": "bot", "namespace": "ci"},
			},
		},
		object{"metadata": object{"name": "a", "uid": "u-a"}, "roleRef": object{"kind": "ClusterRole", "name": "edit"}})
	s.Routes["GET "+rbacPath+"/rolebindings"] = apitest.Paged("rbac.authorization.k8s.io/v1 RoleBindingList",
		object{"metadata": object{"name": "b", "namespace": "two"}, "roleRef": object{"kind": "Role", "name": "r"}},
		object{"metadata": object{"name": "c", "namespace": "one"}, "roleRef": object{"kind": "ClusterRole", "name": "r"}})
	s.Routes["GET "+leasePath] = apitest.Answers(http.StatusOK, object{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
		"metadata": object{"name": "certsync-prod-eu", "uid": "u", "resourceVersion": "1", "annotations": object{"certsync.dev/generation": "41"}}})
	s.Routes["GET "+csrPath] = apitest.Paged("certificates.k8s.io/v1 CertificateSigningRequestList",
		object{"metadata": object{"name": "certsync-prod-eu.pending", "creationTimestamp": "2026-01-02T00:00:03Z"}, "spec": object{"username": "bob"}})
	s.Begin()
	got, err := connect(t, s).ObserveCluster(t.Context(), "prod-eu")
	if err != nil {
		t.Fatal(err)
	}
	want := reconcile.ClusterView{
		UID:      "the-cluster",
		Endpoint: reconcile.Endpoint{Name: "test", Server: s.URL, CA: s.RESTConfig().CAData},
		Bindings: []reconcile.Binding{
			{Kind: "ClusterRoleBinding", Name: "a", UID: "u-a", RoleRef: reconcile.RoleRef{Kind: "ClusterRole", Name: "edit"}},
			{Kind: "ClusterRoleBinding", Name: "z", UID: "u-z", ResourceVersion: "7", ManagedBy: "certsync", Owner: "prod-eu",
				RoleRef: reconcile.RoleRef{Kind: "ClusterRole", Name: "view"}, Subjects: []reconcile.Subject{
					reconcile.UserSubject("alice"), {Kind: "ServiceAccount", Namespace: "ci", Name: "bot"}}},
			{Kind: "RoleBinding", Namespace: "one", Name: "c", RoleRef: reconcile.RoleRef{Kind: "ClusterRole", Name: "r"}, Copied: true},
			{Kind: "RoleBinding", Namespace: "two", Name: "b", RoleRef: reconcile.RoleRef{Kind: "Role", Name: "r"}, Copied: true},
		},
		ClusterRoles: map[string]bool{"view": true, "edit": true},
		Rules: map[reconcile.Role][]reconcile.Rule{
			{Name: "view"}: {},
			{Name: "edit"}: {
				{Verbs: []string{"get"}, Groups: []string{""}, Resources: []string{"secrets"}, Names: []string{"one"}},
				{Verbs: []string{"create"}, Groups: []string{""}, Resources: []string{"pods/exec"}},
			},
			{Namespace: "two", Name: "r"}: {{Verbs: []string{"list"}, Groups: []string{"apps"}, Resources: []string{"deployments"}}},
		},
		Partly:     map[string]bool{},
		Namespaces: map[string]reconcile.Namespace{"default": {Labels: map[string]string{"team": "payments"}, Open: true}, "kube-system": {Open: true}, "going": {}},
		Clock:      got.Clock, // TestObserveClusterTellsTheServersTime
		Mark:       reconcile.Mark{Generation: 41}, Leased: true,
		Requests: []reconcile.Request{
			{Name: "certsync-prod-eu.pending", RequestedBy: "bob", CreatedAt: time.Date(2026, 1, 2, 0, 0, 3, 0, time.UTC), State: "pending"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestObserveClusterReadsPages(t *testing.T) {
	s := observable(t)
	var all []any
	for n := range 1203 {
		all = append(all, object{"metadata": object{"name": fmt.Sprintf("b%04d", n)}, "roleRef": object{"name": "view"}})
	}
	s.Routes["GET "+rbacPath+"/clusterrolebindings"] = apitest.Paged("rbac.authorization.k8s.io/v1 ClusterRoleBindingList", all...)
	s.Begin()
	got, err := connect(t, s).ObserveCluster(t.Context(), "prod-eu")
	if err != nil || len(got.Bindings) != 1203 || got.Bindings[1202].Name != "b1202" {
		t.Fatalf("got %d bindings, error %v", len(got.Bindings), err)
	}
	pages := s.Called("GET " + rbacPath + "/clusterrolebindings")
	if len(pages) != 3 || pages[0].Query.Get("limit") != "500" || pages[2].Query.Get("continue") != "1000" {
		t.Errorf("pages were %v", pages)
	}
	if n := len(s.Called("")); n != 11 {
		t.Errorf("%d requests in all", n)
	}
}

func TestObserveClusterIsAllOrNothing(t *testing.T) {
	many := slices.Repeat([]any{object{"metadata": object{"name": "one of many"}}}, 600)
	forbidden := func(resource string) http.HandlerFunc {
		return apitest.Fails(apierrors.NewForbidden(apitest.Resource("certificates.k8s.io", "certificatesigningrequests"), "", apitest.MissingRight("list", resource)))
	}
	cases := map[string]struct {
		routes map[string]http.HandlerFunc
		want   []string // parts of the error
		hint   string
	}{
		"rights are missing: all are named": {map[string]http.HandlerFunc{
			rbacPath + "/rolebindings": forbidden("rolebindings"), namespacesPath: forbidden("namespaces"),
			leasePath: forbidden("leases"), frontProxyPath: forbidden("configmaps"),
		}, []string{`listing rolebindings: `, `cannot list resource "rolebindings"`, `listing namespaces: `,
			`reading Lease kube-system/certsync-prod-eu: `, `reading ConfigMap kube-system/extension-apiserver-authentication: `}, "`certsync manifests` prints the rights"},
		"the identity is not accepted": {map[string]http.HandlerFunc{
			namespacesPath: apitest.Fails(apierrors.NewUnauthorized("Unauthorized")),
		}, []string{"listing namespaces: the cluster does not accept this identity: "}, "kubectl auth whoami"},
		"the second page fails": {map[string]http.HandlerFunc{
			rbacPath + "/rolebindings": func(w http.ResponseWriter, r *http.Request) {
				route := apitest.Paged("rbac.authorization.k8s.io/v1 RoleBindingList", many...)
				if r.URL.Query().Get("continue") != "" {
					route = apitest.Fails(apierrors.NewResourceExpired("the list is too old"))
				}
				route(w, r)
			},
		}, []string{"listing rolebindings: the list is too old"}, ""},
		"an answer that is no list": {map[string]http.HandlerFunc{
			rbacPath + "/clusterrolebindings": apitest.Answers(http.StatusOK, object{}),
		}, []string{"listing clusterrolebindings: ", "the answer has no resourceVersion"}, ""},
		"an answer that is cut off": {map[string]http.HandlerFunc{
			rbacPath + "/clusterroles": func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("Content-Length", "1000")
				_, _ = w.Write([]byte(`{"kind":"ClusterRoleList","items":[`))
			},
		}, []string{"listing clusterroles: "}, ""},
		"no kube-system": {map[string]http.HandlerFunc{
			namespacesPath: apitest.Paged("meta.k8s.io/v1 PartialObjectMetadataList", named("default", "u1")),
		}, []string{`has no namespace "kube-system"`}, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := observable(t)
			for path, route := range tc.routes {
				s.Routes["GET "+path] = route
			}
			s.Begin()
			got, err := connect(t, s).ObserveCluster(t.Context(), "prod-eu")
			for _, want := range tc.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error is %v, want %s", err, want)
				}
			}
			if diff := cmp.Diff(reconcile.ClusterView{}, got); diff != "" || !strings.Contains(reconcile.Hint(err), tc.hint) {
				t.Errorf("hint is %q; a view beside an error: %s", reconcile.Hint(err), diff)
			}
		})
	}
}

func TestObserveClusterNamesAServerThatIsNotThere(t *testing.T) {
	s := observable(t).Begin()
	c := connect(t, s)
	s.Close()
	if _, err := c.ObserveCluster(t.Context(), "x"); err == nil || !strings.Contains(err.Error(), "reaching "+s.URL+": ") ||
		!strings.Contains(err.Error(), "connection refused") {
		t.Errorf("error is %v", err)
	}
}

func TestObserveClusterRefusesAStranger(t *testing.T) {
	s := observable(t).Begin()
	config := s.RESTConfig()
	config.CAData = apitest.CA
	c, err := newCluster(config, s.URL, kubeconfigEntry{}, "kube-system")
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.ObserveCluster(t.Context(), "x")
	if err == nil || !strings.Contains(err.Error(), s.URL+" does not prove that it is the API server") || reconcile.Hint(err) == "" {
		t.Errorf("error is %v", err)
	}
}

func TestObserveClusterEndsWhenCancelled(t *testing.T) {
	s := observable(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.Routes["GET "+namespacesPath] = func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() }
	s.Begin()
	if _, err := connect(t, s).ObserveCluster(ctx, "prod-eu"); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}
