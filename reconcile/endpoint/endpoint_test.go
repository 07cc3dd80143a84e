package endpoint_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/endpoint"
)

// TestOf: the inventory wins, field by field; a proxy and a TLS name of certsync's own connection mean nothing for
// another server.
func TestOf(t *testing.T) {
	own := reconcile.Endpoint{Name: "a", Server: "https://a", CA: []byte("A"), ProxyURL: "http://p", TLSServerName: "t"}
	if diff := cmp.Diff(own, endpoint.Of(inventory.Cluster{}, own)); diff != "" {
		t.Error(diff)
	}
	want := reconcile.Endpoint{Name: "b", Server: "https://b", CA: []byte("B")}
	if diff := cmp.Diff(want, endpoint.Of(inventory.Cluster{Name: "b", Server: "https://b", CertificateAuthority: []byte("B")}, own)); diff != "" {
		t.Error(diff)
	}
}
