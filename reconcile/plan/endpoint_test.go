package plan_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestRecordedEndpoint: what a later connection says of the cluster changes no kubeconfig, and is noted where it differs.
func TestRecordedEndpoint(t *testing.T) {
	other := reconciletest.NewAuthority(t, reconciletest.NewECKey(t), nil).Cert.Raw
	for sentence, tt := range map[string]struct {
		connection func(e *reconcile.Endpoint)
		want       []string // beginnings of the notes
	}{
		"the same":                     {func(*reconcile.Endpoint) {}, nil},
		"another name in a kubeconfig": {func(e *reconcile.Endpoint) { e.Name = "admin@test" }, []string{`name: "test" -> "admin@test"`}},
		"through a tunnel":             {func(e *reconcile.Endpoint) { e.Server = "https://localhost:6443" }, []string{`server: "https://k8s.example.com:6443" -> "https://localhost:6443"`}},
		"a slash at the end":           {func(e *reconcile.Endpoint) { e.Server += "/" }, nil},
		"in capitals":                  {func(e *reconcile.Endpoint) { e.Server = "HTTPS://K8S.EXAMPLE.COM:6443" }, nil},
		"the same CA twice":            {func(e *reconcile.Endpoint) { e.CA = slices.Concat(e.CA, e.CA) }, nil},
		"a CA with text around it": {func(e *reconcile.Endpoint) {
			e.CA = slices.Concat([]byte("# of the cluster\n"), bytes.ReplaceAll(e.CA, []byte("\n"), []byte("\r\n")))
		}, nil},
		"another CA":                       {func(e *reconcile.Endpoint) { e.CA = inventory.CertificatePEM(other) }, []string{"certificateAuthority: "}},
		"a proxy of the administrator's":   {func(e *reconcile.Endpoint) { e.ProxyURL = "http://localhost:8080" }, []string{`proxyURL: "" -> "http://localhost:8080"`}},
		"in a pod, without name or server": {func(e *reconcile.Endpoint) { e.Name, e.Server = "", "" }, nil},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			inv := reconciletest.Parse(t, reconciletest.Team)
			w.MustApply(inv)
			tt.connection(&w.Endpoint)
			p := w.Plan(inv)
			if p.Changes() || p.Endpoint.Server != "https://k8s.example.com:6443" || p.Endpoint.Name != "test" {
				t.Errorf("plan: %q, %+v", reconciletest.Lines(p), p.Endpoint)
			}
			var got []string
			for _, n := range p.Notes {
				if n.Kind == reconcile.EndpointDiffers {
					got = append(got, n.Message)
				}
			}
			if !slices.EqualFunc(tt.want, got, func(want, got string) bool { return strings.HasPrefix(got, want) }) {
				t.Errorf("notes: %q", got)
			}
		})
	}
}

// TestStatedEndpoint: what the inventory states is what users get, and its change makes their kubeconfigs anew.
func TestStatedEndpoint(t *testing.T) {
	w := reconciletest.NewWorld(t)
	const users = "users: [{name: alice}]\n"
	w.MustApply(reconciletest.Parse(t, users))
	if p := w.Plan(reconciletest.Parse(t, "cluster: {server: 'https://K8S.example.com:6443/'}\n"+users)); len(p.Steps) > 0 {
		t.Errorf("the same address, written otherwise: %q", reconciletest.Lines(p))
	}
	moved := reconciletest.Parse(t, "cluster: {server: 'https://new.example.com'}\n"+users)
	if got := reconciletest.Lines(w.Plan(moved)); !slices.Equal(got, []string{"reissue alice [server-changed]"}) {
		t.Errorf("%q", got)
	}
	w.MustApply(moved)
	w.Endpoint.Server = "https://localhost:1"
	if p := w.Plan(moved); p.Changes() || slices.Contains(reconciletest.Kinds(p), "endpoint-differs") {
		t.Errorf("%q, %q", reconciletest.Lines(p), reconciletest.Kinds(p))
	}
}

// TestLocalEndpoint: the first apply warns of an address that people may not reach, and only the first.
func TestLocalEndpoint(t *testing.T) {
	for server, warned := range map[string]bool{
		"https://127.0.0.1:6443": true, "https://[::1]:6443": true, "https://localhost:6443": true, "https://kubernetes.default.svc": true,
		"https://k8s.example.com:6443": false, "https://10.0.0.1:6443": false,
	} {
		w := reconciletest.NewWorld(t)
		w.Endpoint.Server = server
		inv := reconciletest.Parse(t, "users: [{name: alice}]")
		if got := slices.Contains(reconciletest.Kinds(w.Plan(inv)), "endpoint-local"); got != warned {
			t.Errorf("%s: warned %t", server, got)
		}
		w.MustApply(inv)
		if slices.Contains(reconciletest.Kinds(w.Plan(inv)), "endpoint-local") {
			t.Errorf("%s: warned again", server)
		}
	}
}
