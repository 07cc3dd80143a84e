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

// TestLocalEndpoint: an address that other people may not reach is noted at the first apply. An address that the inventory states
// is noted whenever somebody is to get it.
func TestLocalEndpoint(t *testing.T) {
	for server, warned := range map[string]bool{
		"https://127.0.0.1:6443": true, "https://[::1]:6443": true, "https://localhost:6443": true, "https://kubernetes.default.svc": true,
		"https://0.0.0.0:6443": true, "https://[::]:6443": true, "https://[::ffff:127.0.0.1]:6443": true, "https://169.254.1.1": true, "https://[fe80::1]:6443": true,
		"https://host.docker.internal:6443": true, "https://kubernetes.docker.internal:6443": true, "https://host.minikube.internal": true,
		"https://macbook.local:6443": true, "https://k8s.localhost": true, "https://kubernetes.default.svc.corp.example": true,
		"https://k8s.example.com:6443": false, "https://10.0.0.1:6443": false, "https://localhost.example.com": false, "https://local.example.com": false,
	} {
		const users = "users: [{name: alice}"
		noted := func(w *reconciletest.World, inventory string) bool {
			return slices.ContainsFunc(w.Plan(reconciletest.Parse(t, inventory)).Notes, func(n reconcile.Note) bool {
				return n.Kind == reconcile.EndpointLocal && strings.Contains(n.Message, server)
			})
		}
		w := reconciletest.NewWorld(t)
		w.Endpoint.Server = server
		if got := noted(w, users+"]"); got != warned {
			t.Errorf("%s: warned %t", server, got)
		}
		w.MustApply(reconciletest.Parse(t, users+"]"))
		if noted(w, users+", {name: bob}]") {
			t.Errorf("%s: warned again", server)
		}
		w = reconciletest.NewWorld(t)
		stated := "cluster: {server: '" + server + "'}\n" + users
		w.MustApply(reconciletest.Parse(t, stated+"]"))
		if noted(w, stated+"]") {
			t.Errorf("%s: stated, and nobody gets it: warned", server)
		}
		if got := noted(w, stated+", {name: bob}]"); got != warned {
			t.Errorf("%s: stated, and bob gets it: warned %t", server, got)
		}
	}
}

// TestLocalProxy: so is a proxy, if it is of this machine or of the administrator's kubeconfig.
func TestLocalProxy(t *testing.T) {
	for sentence, tt := range map[string]struct{ stated, own, want string }{
		"the administrator's tunnel": {"", "http://localhost:8080", "through the proxy http://localhost:8080, an address that only this machine can reach"},
		"the administrator's proxy":  {"", "http://proxy.example.com:8080", "through http://proxy.example.com:8080, which is the proxy of your own kubeconfig"},
		"a tunnel that is stated":    {"socks5://127.0.0.1:1080", "", "through the proxy socks5://127.0.0.1:1080, an address that only this machine can reach"},
		"a proxy that is stated":     {"http://proxy.example.com:8080", "", ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			w.Endpoint.ProxyURL = tt.own
			text := "users: [{name: alice}]\n"
			if tt.stated != "" {
				text += "cluster: {proxyURL: '" + tt.stated + "'}\n"
			}
			got := ""
			for _, n := range w.Plan(reconciletest.Parse(t, text)).Notes {
				if n.Kind == reconcile.EndpointLocal {
					got = n.Message
				}
			}
			if !strings.Contains(got, tt.want) || (got == "") != (tt.want == "") {
				t.Errorf("%q", got)
			}
		})
	}
}
