package reconcile

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestOtherKey: a certificate for somebody else's key is not stored, whatever else it says.
func TestOtherKey(t *testing.T) {
	w := newWorld(t)
	w.mustApply(parse(t, team))
	chain := []byte(w.ledger["bob"].versions[1].record.Certificates[0].Certificate)
	spec := certificateSpec{user: "bob", groups: []string{"devs"}, expiration: 168 * time.Hour}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := check(spec, chain, other.Public(), w.now); err == nil || err.Error() != "it is for another key" {
		t.Errorf("error %v", err)
	}
	leaf, err := parseLeaf(chain)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := check(spec, chain, leaf.PublicKey, w.now); err != nil {
		t.Errorf("its own key: %v", err)
	}
}

// TestAlternativeNames: nobody asked for any, of any kind.
func TestAlternativeNames(t *testing.T) {
	for name, sign := range map[string]func(*x509.Certificate){
		"email": func(c *x509.Certificate) { c.EmailAddresses = []string{"root@example.com"} },
		"IP":    func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)} },
		"URI":   func(c *x509.Certificate) { c.URIs = []*url.URL{{Scheme: "spiffe", Host: "root"}} },
	} {
		w := newWorld(t)
		w.sign = sign
		if o, err := w.apply(parse(t, "users: [{name: bob}]")); err != nil || o.Failed() != 1 || len(w.ledger) > 0 {
			t.Errorf("%s: %v, %q", name, err, results(o))
		}
	}
}

// TestKubeconfigChanges: whatever a stored kubeconfig was made for is compared, each with its reason.
func TestKubeconfigChanges(t *testing.T) {
	tests := map[string]struct {
		change func(*Endpoint)
		want   Reason
	}{
		"CA":       {func(e *Endpoint) { e.CA = append(slices.Clone(e.CA), e.CA...) }, ClusterCAChanged},
		"server":   {func(e *Endpoint) { e.Server = "https://other:6443" }, ServerChanged},
		"proxy":    {func(e *Endpoint) { e.ProxyURL = "http://proxy:3128" }, ServerChanged},
		"TLS name": {func(e *Endpoint) { e.TLSServerName = "other" }, ServerChanged},
		"name":     {func(e *Endpoint) { e.Name = "other" }, ClusterNameChanged},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			inv := parse(t, "users: [{name: bob}]")
			w.mustApply(inv)
			before := w.plan(parse(t, "users: [{name: bob}, {name: eve}]")).Digest()
			tt.change(&w.endpoint)
			if diff := cmp.Diff([]string{"reissue bob [" + string(tt.want) + "]"}, lines(w.plan(inv))); diff != "" {
				t.Error(diff)
			}
			if w.plan(parse(t, "users: [{name: bob}, {name: eve}]")).Digest() == before {
				t.Error("where eve is sent is not in the digest")
			}
		})
	}
}

// TestPermissions: what is asked for before the first write is what the steps take, once each.
func TestPermissions(t *testing.T) {
	w := newWorld(t)
	p := w.plan(parse(t, team))
	var got []string
	for _, perm := range p.permissions(w.Permissions()) {
		got = append(got, perm.String())
	}
	want := []string{
		"create certificatesigningrequests.certificates.k8s.io", "create clusterrolebindings.rbac.authorization.k8s.io",
		`create rolebindings.rbac.authorization.k8s.io in namespace "payments"`,
		`create rolebindings.rbac.authorization.k8s.io in namespace "staging"`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	all := []string{"alice", "bob", "carol"}
	if diff := cmp.Diff(StoreNeeds{Record: all, Credential: all}, p.storeNeeds()); diff != "" {
		t.Error(diff)
	}
	w.mustApply(parse(t, team))
	p = w.plan(parse(t, strings.Replace(team, ", clusterRoles: [admin]}", "}", 1)))
	for _, perm := range p.permissions(w.Permissions()) {
		if perm.Verb == "delete" && perm.Resource == "clusterrolebindings" {
			return
		}
	}
	t.Errorf("no right to delete is asked for: %v", p.permissions(w.Permissions()))
}
