package api

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/apitest"
)

const (
	clusterRolesPath = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
	roleBindingsPath = "/apis/rbac.authorization.k8s.io/v1/rolebindings"
)

func connect(t *testing.T, s *apitest.Server) *Server {
	t.Helper()
	server, err := New(s.RESTConfig(), s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return server
}

// listClusterRoles lists as the adapter does, and counts the objects.
func listClusterRoles(t *testing.T, s *apitest.Server) (n int, err error) {
	t.Helper()
	server := connect(t, s)
	err = List(t.Context(), server.Client.RbacV1().ClusterRoles().List, metav1.ListOptions{}, func(*rbacv1.ClusterRole) bool { n++; return true })
	if err != nil {
		return n, server.Failed("listing clusterroles", err)
	}
	return n, nil
}

// TestCompressedAnswerWithoutEnd: a few MB on the wire must not become gigabytes.
func TestCompressedAnswerWithoutEnd(t *testing.T) {
	s := apitest.New(t)
	var unpacked atomic.Int64
	s.Routes["GET "+clusterRolesPath] = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		packed, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
		apitest.Pour(packed, &unpacked, `{"items":[`, " ")
	}
	s.Begin()
	if _, err := listClusterRoles(t, s); err == nil || !strings.Contains(err.Error(), strconv.Itoa(maxAnswer)+" bytes") {
		t.Error(err)
	}
}

// TestPagesWithoutEnd: a list is an error if every page has another one after it.
func TestPagesWithoutEnd(t *testing.T) {
	more := rbacv1.ClusterRoleList{ListMeta: metav1.ListMeta{ResourceVersion: "1", Continue: "more"}}
	full := more
	for n := range pageSize {
		full.Items = append(full.Items, rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprintf("r%d", n), Annotations: map[string]string{"a": strings.Repeat("x", 30<<10)}}})
	}
	for name, page := range map[string]rbacv1.ClusterRoleList{"full ones": full, "empty ones": more} {
		t.Run(name, func(t *testing.T) {
			body := apitest.Protobuf(t, &page)
			s := apitest.New(t)
			s.Routes["GET "+clusterRolesPath] = func(w http.ResponseWriter, _ *http.Request) { apitest.ReplyProtobuf(w, body) }
			s.Begin()
			_, err := listClusterRoles(t, s)
			if err == nil || !strings.Contains(err.Error(), "listing clusterroles: reading what "+s.URL+" sends: ") || reconcile.Hint(err) != noAPIServer {
				t.Error(err)
			}
			if n := len(s.Called("GET " + clusterRolesPath)); n > maxPages || n*len(body) > maxList+2*len(body) {
				t.Errorf("%d pages of %d bytes were read", n, len(body))
			}
		})
	}
}

// TestSharedLists: of several clusters, one that answers without an end must not take the memory of all.
func TestSharedLists(t *testing.T) {
	list := rbacv1.ClusterRoleList{ListMeta: metav1.ListMeta{ResourceVersion: "1", Continue: "more"}, Items: make([]rbacv1.ClusterRole, 500)}
	n := 0
	page := func(context.Context, metav1.ListOptions) (*rbacv1.ClusterRoleList, error) { n++; return &list, nil }
	err := List(Shared(t.Context()), page, metav1.ListOptions{}, func(*rbacv1.ClusterRole) bool { return true })
	if !errors.Is(err, ErrLongShare) || n > maxList/shared/objectWeight/500+5 {
		t.Errorf("%d pages, %v", n, err)
	}
}

// TestOnlyKeptObjectsCount: a tenant cannot make a list too long by objects that nobody keeps.
func TestOnlyKeptObjectsCount(t *testing.T) {
	list := rbacv1.RoleBindingList{ListMeta: metav1.ListMeta{ResourceVersion: "1", Continue: "more"}, Items: make([]rbacv1.RoleBinding, 500)}
	pages := 0
	page := func(context.Context, metav1.ListOptions) (*rbacv1.RoleBindingList, error) {
		l := list
		if pages++; pages*500 > maxList/objectWeight+500 {
			l.Continue = ""
		}
		return &l, nil
	}
	n := 0
	err := List(t.Context(), page, metav1.ListOptions{}, func(*rbacv1.RoleBinding) bool { n++; return false })
	if err != nil || n <= maxList/objectWeight {
		t.Errorf("%d objects, %v", n, err)
	}
}

// TestLargeObjectsAreListed: tenants can make any number of objects of the size that etcd allows. A page of them is over the
// limit, so they are read a few at a time.
func TestLargeObjectsAreListed(t *testing.T) {
	var all []rbacv1.RoleBinding
	for n := range 20 {
		all = append(all, rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprintf("b%04d", n), Namespace: "tenants", Annotations: map[string]string{"a": strings.Repeat("x", 1500<<10)}}})
	}
	for n := range 1203 {
		all = append(all, rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("c%04d", n), Namespace: "others"}})
	}
	s := apitest.New(t)
	s.Routes["GET "+roleBindingsPath] = func(w http.ResponseWriter, r *http.Request) {
		from, _ := strconv.Atoi(r.URL.Query().Get("continue"))
		limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
		page := rbacv1.RoleBindingList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}, Items: all[from:min(from+limit, len(all))]}
		if from+limit < len(all) {
			page.Continue = strconv.Itoa(from + limit)
		}
		apitest.ReplyProtobuf(w, apitest.Protobuf(t, &page))
	}
	s.Begin()
	seen, n := map[string]bool{}, 0
	err := List(t.Context(), connect(t, s).Client.RbacV1().RoleBindings("").List, metav1.ListOptions{}, func(b *rbacv1.RoleBinding) bool {
		seen[b.Namespace+"/"+b.Name] = true
		n++
		return true
	})
	if err != nil || n != len(all) || len(seen) != len(all) {
		t.Fatalf("got %d bindings, %d different ones, error %v", n, len(seen), err)
	}
	if n := len(s.Called("GET " + roleBindingsPath)); n > 30 {
		t.Errorf("%d requests", n)
	}
}
