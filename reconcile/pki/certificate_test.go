package pki_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/pki"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// TestOtherKey: a certificate for somebody else's key is not stored, whatever else it says.
func TestOtherKey(t *testing.T) {
	w := reconciletest.NewWorld(t)
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	chain := []byte(w.Ledger["bob"].Versions[1].Record.Certificates[0].Certificate)
	spec := reconcile.CertificateSpec{User: "bob", Groups: []string{"devs"}, Expiration: 168 * time.Hour}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pki.Check(spec, chain, other.Public(), w.Now); err == nil || err.Error() != "it is for another key" {
		t.Errorf("error %v", err)
	}
	leaf, err := reconcile.ParseLeaf(chain)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pki.Check(spec, chain, leaf.PublicKey, w.Now); err != nil {
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
		w := reconciletest.NewWorld(t)
		w.Sign = sign
		if o, err := w.Apply(reconciletest.Parse(t, "users: [{name: bob}]")); err != nil || o.Failed() != 1 || len(w.Ledger) > 0 {
			t.Errorf("%s: %v, %q", name, err, reconciletest.Results(o))
		}
	}
}

// TestKubeconfigChanges: whatever a stored kubeconfig was made for is compared, each with its reason.
func TestKubeconfigChanges(t *testing.T) {
	tests := map[string]struct {
		change func(*inventory.Cluster)
		want   reconcile.Reason
	}{
		"CA": {func(c *inventory.Cluster) {
			c.CertificateAuthority = []byte(pki.LeafPEM(reconciletest.NewAuthority(t, reconciletest.NewECKey(t), nil).Cert))
		}, reconcile.ClusterCAChanged},
		"server":   {func(c *inventory.Cluster) { c.Server = "https://other:6443" }, reconcile.ServerChanged},
		"proxy":    {func(c *inventory.Cluster) { c.ProxyURL = "http://proxy:3128" }, reconcile.ServerChanged},
		"TLS name": {func(c *inventory.Cluster) { c.TLSServerName = "other" }, reconcile.ServerChanged},
		"name":     {func(c *inventory.Cluster) { c.Name = "other" }, reconcile.ClusterNameChanged},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			inv := reconciletest.Parse(t, "users: [{name: bob}]")
			w.MustApply(inv)
			two := reconciletest.Parse(t, "users: [{name: bob}, {name: eve}]")
			before := w.Plan(two).Digest()
			tt.change(&inv.Cluster)
			tt.change(&two.Cluster)
			if diff := cmp.Diff([]string{"reissue bob [" + string(tt.want) + "]"}, reconciletest.Lines(w.Plan(inv))); diff != "" {
				t.Error(diff)
			}
			if w.Plan(two).Digest() == before {
				t.Error("where eve is sent is not in the digest")
			}
		})
	}
}

// TestPermissions: what is asked for before the first write is what the steps take, once each.
func TestPermissions(t *testing.T) {
	w := reconciletest.NewWorld(t)
	p := w.Plan(reconciletest.Parse(t, reconciletest.Team))
	var got []string
	for _, perm := range p.Permissions(w.Permissions()) {
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
	if diff := cmp.Diff(reconcile.StoreNeeds{Record: all, Credential: all}, p.StoreNeeds()); diff != "" {
		t.Error(diff)
	}
	w.MustApply(reconciletest.Parse(t, reconciletest.Team))
	p = w.Plan(reconciletest.Parse(t, strings.Replace(reconciletest.Team, ", clusterRoles: [admin]}", "}", 1)))
	for _, perm := range p.Permissions(w.Permissions()) {
		if perm.Verb == "delete" && perm.Resource == "clusterrolebindings" {
			return
		}
	}
	t.Errorf("no right to delete is asked for: %v", p.Permissions(w.Permissions()))
}
