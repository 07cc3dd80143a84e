package kube

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/certsync/certsync/reconcile"
)

// flood answers with a head and then with filler, for as long as somebody reads, and counts what it sent.
func flood(sent *atomic.Int64, status int, head, filler string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		pour(w, sent, head, filler)
	}
}

func pour(w io.Writer, sent *atomic.Int64, head, filler string) {
	block := []byte(strings.Repeat(filler, 32<<10/len(filler)))
	for part := []byte(head); ; part = block {
		n, err := w.Write(part)
		sent.Add(int64(n))
		if err != nil {
			return
		}
	}
}

// TestAnswersWithoutEnd: whatever the API server is asked, what comes without an end is an error that names the server,
// the call and the limit, and little more than the limit leaves the server.
func TestAnswersWithoutEnd(t *testing.T) {
	const (
		items = `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRoleBindingList","metadata":{"resourceVersion":"1"},"items":[`
		item  = `{"metadata":{"name":"somebody"},"roleRef":{"name":"view"}},`
	)
	binding := reconcile.Binding{Kind: "ClusterRoleBinding", Name: "b", UID: "u", ResourceVersion: "1"}
	observe := func(ctx context.Context, c *Cluster) error { _, err := c.ObserveCluster(ctx, "prod-eu"); return err }
	for name, test := range map[string]struct {
		route        string
		head, filler string
		status       int
		attempts     int64 // each of which takes the limit
		do           func(ctx context.Context, c *Cluster) error
	}{
		"a list":     {"GET " + rbacPath + "/clusterrolebindings", items, item, 200, 4, observe},
		"blanks":     {"GET " + rbacPath + "/rolebindings", "", " ", 200, 4, observe},
		"an error":   {"GET " + rbacPath + "/clusterroles", `{"kind":"Status","message":"`, "x", 403, 4, observe},
		"metadata":   {"GET " + namespacesPath, `{"items":[`, " ", 200, 4, observe},
		"requests":   {"GET " + csrPath, `{"items":[`, " ", 200, 3, observe},
		"one object": {"GET " + frontProxyPath, `{"data":{"a":"`, "x", 200, 1, observe},
		"the Lease":  {"GET " + leasesPath + "/certsync-prod-eu", `{"spec":{"a":"`, "x", 200, 1, observe},
		"a write": {"PATCH " + rbacPath + "/clusterrolebindings/b", `{"metadata":{"name":"`, "x", 200, 1, func(ctx context.Context, c *Cluster) error {
			_, err := c.Bindings().UpdateBinding(ctx, binding, nil)
			return err
		}},
		"the version": {"GET /version", `{"gitVersion":"`, "x", 200, 1, func(ctx context.Context, c *Cluster) error { _, err := c.Version(ctx); return err }},
		"the canary": {"POST " + whoPath, `{"status":{"a":"`, "x", 201, 1, func(ctx context.Context, c *Cluster) error {
			chain, key := newUser("alice")
			_, err := c.Authenticate(ctx, chain, reconcile.NewSecret(key))
			return err
		}},
		"who certsync is": {"POST " + whoPath, `{"status":{"a":"`, "x", 201, 1, func(ctx context.Context, c *Cluster) error { _, err := c.WhoAmI(ctx); return err }},
	} {
		t.Run(name, func(t *testing.T) {
			s := observable(t)
			var sent atomic.Int64
			s.routes[test.route] = flood(&sent, test.status, test.head, test.filler)
			s.begin()
			err := test.do(t.Context(), s.cluster())
			if err == nil {
				t.Fatal("no error")
			}
			method, path, _ := strings.Cut(test.route, " ")
			for _, want := range []string{s.URL, fmt.Sprintf("%s %q", method, path), strconv.Itoa(maxAnswer) + " bytes"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in: %v", want, err)
				}
			}
			if reconcile.Hint(err) != noAPIServer {
				t.Errorf("the hint is %q", reconcile.Hint(err))
			}
			// Beside what is read, a connection has room for a few MB that nobody takes.
			if most := test.attempts * (maxAnswer + 8<<20); sent.Load() > most {
				t.Errorf("%d bytes were sent, at most %d were to be", sent.Load(), most)
			}
		})
	}
}

// TestCompressedAnswerWithoutEnd: a few MB on the wire must not become gigabytes.
func TestCompressedAnswerWithoutEnd(t *testing.T) {
	s := observable(t)
	var unpacked atomic.Int64
	s.routes["GET "+rbacPath+"/clusterroles"] = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		packed, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
		pour(packed, &unpacked, `{"items":[`, " ")
	}
	s.begin()
	_, err := s.cluster().ClusterRoles(t.Context())
	if err == nil || !strings.Contains(err.Error(), strconv.Itoa(maxAnswer)+" bytes") {
		t.Error(err)
	}
}

// inProtobuf is a list as an API server sends it.
func inProtobuf(t *testing.T, l runtime.Object) []byte {
	t.Helper()
	var b bytes.Buffer
	codec := scheme.Codecs.EncoderForVersion(protobuf.NewSerializer(scheme.Scheme, scheme.Scheme),
		schema.GroupVersions{rbacv1.SchemeGroupVersion, certificatesv1.SchemeGroupVersion})
	if err := codec.Encode(l, &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func sendsProtobuf(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", runtime.ContentTypeProtobuf)
	_, _ = w.Write(body)
}

// TestPagesWithoutEnd: pages that always have another one after them.
func TestPagesWithoutEnd(t *testing.T) {
	more := rbacv1.ClusterRoleList{ListMeta: metav1.ListMeta{ResourceVersion: "1", Continue: "more"}}
	full := more
	for n := range pageSize {
		full.Items = append(full.Items, rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprintf("r%d", n), Annotations: map[string]string{"a": strings.Repeat("x", 30<<10)}}})
	}
	for name, page := range map[string]rbacv1.ClusterRoleList{"full ones": full, "empty ones": more} {
		t.Run(name, func(t *testing.T) {
			body := inProtobuf(t, &page)
			s := observable(t)
			s.routes["GET "+rbacPath+"/clusterroles"] = func(w http.ResponseWriter, _ *http.Request) { sendsProtobuf(w, body) }
			s.begin()
			_, err := s.cluster().ClusterRoles(t.Context())
			if err == nil || !strings.Contains(err.Error(), "listing clusterroles: reading what "+s.URL+" sends: ") || reconcile.Hint(err) != noAPIServer {
				t.Error(err)
			}
			if n := len(s.called("GET " + rbacPath + "/clusterroles")); n > maxPages || n*len(body) > maxList+2*len(body) {
				t.Errorf("%d pages of %d bytes were read", n, len(body))
			}
		})
	}
}

// TestRequestsWithoutEnd: whoever may create signing requests keeps no plan from being made. What was read of them is shown,
// and that there are more.
func TestRequestsWithoutEnd(t *testing.T) {
	page := certificatesv1.CertificateSigningRequestList{ListMeta: metav1.ListMeta{ResourceVersion: "1", Continue: "more"}}
	for n := range requestPage {
		page.Items = append(page.Items, certificatesv1.CertificateSigningRequest{ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprintf("r%d", n), Annotations: map[string]string{"a": strings.Repeat("x", 200<<10)}}})
	}
	body := inProtobuf(t, &page)
	s := observable(t)
	s.routes["GET "+csrPath] = func(w http.ResponseWriter, _ *http.Request) { sendsProtobuf(w, body) }
	s.begin()
	all, more, err := s.cluster().requests(t.Context(), "prod-eu")
	if err != nil || len(all) != maxRequests || more == 0 {
		t.Errorf("%d requests and %d more: %v", len(all), more, err)
	}
}

// TestLargeObjectsAreListed: tenants may make objects as large as etcd takes, in any number. A page of them is over the
// limit, and they are read a few at a time.
func TestLargeObjectsAreListed(t *testing.T) {
	var all []rbacv1.RoleBinding
	for n := range 20 {
		all = append(all, rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprintf("b%04d", n), Namespace: "tenants", Annotations: map[string]string{"a": strings.Repeat("x", 1500<<10)}}})
	}
	for n := range 1203 {
		all = append(all, rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("c%04d", n), Namespace: "others"}})
	}
	s := observable(t)
	s.routes["GET "+rbacPath+"/rolebindings"] = func(w http.ResponseWriter, r *http.Request) {
		from, _ := strconv.Atoi(r.URL.Query().Get("continue"))
		limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
		page := rbacv1.RoleBindingList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}, Items: all[from:min(from+limit, len(all))]}
		if from+limit < len(all) {
			page.Continue = strconv.Itoa(from + limit)
		}
		sendsProtobuf(w, inProtobuf(t, &page))
	}
	s.begin()
	got, err := s.cluster().ObserveCluster(t.Context(), "prod-eu")
	if err != nil || len(got.Bindings) != len(all) {
		t.Fatalf("got %d bindings, error %v", len(got.Bindings), err)
	}
	seen := map[string]bool{}
	for _, b := range got.Bindings {
		seen[b.Namespace+"/"+b.Name] = true
	}
	if len(seen) != len(all) {
		t.Errorf("%d different ones", len(seen))
	}
	if n := len(s.called("GET " + rbacPath + "/rolebindings")); n > 30 {
		t.Errorf("%d requests", n)
	}
}

// TestLongErrors: what a server or a webhook says is not repeated at length.
func TestLongErrors(t *testing.T) {
	s := observable(t)
	s.routes["GET "+rbacPath+"/clusterroles"] = fails(apierrors.NewForbidden(resource("", "x"), "", fmt.Errorf("%s", strings.Repeat("no ", 1<<20))))
	s.routes["POST "+rbacPath+"/clusterrolebindings"] = s.routes["GET "+rbacPath+"/clusterroles"]
	s.begin()
	_, listing := s.cluster().ClusterRoles(t.Context())
	_, creating := s.cluster().Bindings().CreateBinding(t.Context(), reconcile.Binding{Kind: "ClusterRoleBinding", Name: "b"})
	for _, err := range []error{listing, creating} {
		if err == nil || len(err.Error()) > maxErrorText+200 || !apierrors.IsForbidden(err) {
			t.Errorf("%d bytes", len(err.Error()))
		}
	}
}
