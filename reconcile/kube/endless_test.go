package kube

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/apitest"
)

// maxAnswer and maxErrorText are the limits of package api.
const (
	maxAnswer    = 16 << 20
	maxErrorText = 2 << 10
)

// TestAnswersWithoutEnd: an answer without an end is an error that names the server, the call and the limit. The server sends
// little more than the limit.
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
		"requests":   {"GET " + csrPath, `{"items":[`, " ", 200, 4, observe},
		"one object": {"GET " + frontProxyPath, `{"data":{"a":"`, "x", 200, 1, observe},
		"the Lease":  {"GET " + leasePath, `{"spec":{"a":"`, "x", 200, 1, observe},
		"a write": {"PATCH " + rbacPath + "/clusterrolebindings/b", `{"metadata":{"name":"`, "x", 200, 1, func(ctx context.Context, c *Cluster) error {
			_, err := c.Bindings().UpdateBinding(ctx, binding, nil)
			return err
		}},
		"the version": {"GET /version", `{"gitVersion":"`, "x", 200, 1, func(ctx context.Context, c *Cluster) error { _, err := c.Version(ctx); return err }},
		"the canary": {"POST " + whoPath, `{"status":{"a":"`, "x", 201, 1, func(ctx context.Context, c *Cluster) error {
			chain, key := apitest.NewUser("alice")
			_, err := c.Authenticate(ctx, chain, reconcile.NewSecret(key))
			return err
		}},
		"who certsync is": {"POST " + whoPath, `{"status":{"a":"`, "x", 201, 1, func(ctx context.Context, c *Cluster) error { _, err := c.WhoAmI(ctx); return err }},
	} {
		t.Run(name, func(t *testing.T) {
			s := observable(t)
			var sent atomic.Int64
			s.Routes[test.route] = apitest.Flood(&sent, test.status, test.head, test.filler)
			s.Begin()
			err := test.do(t.Context(), connect(t, s))
			if err == nil {
				t.Fatal("no error")
			}
			method, path, _ := strings.Cut(test.route, " ")
			for _, want := range []string{s.URL, fmt.Sprintf("%s %q", method, path), strconv.Itoa(maxAnswer) + " bytes"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in: %v", want, err)
				}
			}
			if !strings.HasPrefix(reconcile.Hint(err), "check that --kubeconfig and --context name") {
				t.Errorf("the hint is %q", reconcile.Hint(err))
			}
			// A connection buffers a few MB more, which the client does not read.
			if most := test.attempts * (maxAnswer + 32<<20); sent.Load() > most {
				t.Errorf("%d bytes were sent, at most %d were to be", sent.Load(), most)
			}
		})
	}
}

// TestLongErrors: an error does not repeat a long text of a server or a webhook.
func TestLongErrors(t *testing.T) {
	s := observable(t)
	s.Routes["GET "+rbacPath+"/clusterroles"] = apitest.Fails(apierrors.NewForbidden(apitest.Resource("", "x"), "", fmt.Errorf("%s", strings.Repeat("no ", 1<<20))))
	s.Routes["POST "+rbacPath+"/clusterrolebindings"] = s.Routes["GET "+rbacPath+"/clusterroles"]
	s.Begin()
	_, listing := connect(t, s).ClusterRoles(t.Context())
	_, creating := connect(t, s).Bindings().CreateBinding(t.Context(), reconcile.Binding{Kind: "ClusterRoleBinding", Name: "b"})
	for _, err := range []error{listing, creating} {
		if err == nil || len(err.Error()) > maxErrorText+200 || !apierrors.IsForbidden(err) {
			t.Errorf("%d bytes", len(err.Error()))
		}
	}
}
