package e2e

import (
	"encoding/base64"
	"fmt"
	"net"
	"strings"
	"testing"
)

// closedAddress is an address at which nothing listens.
func closedAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return "https://" + listener.Addr().String()
}

// TestUsersAddress: preflight dials the address that people's kubeconfigs lead to, with their CA. A dead address was not tried (and one on loopback is a warning in any case), a
// foreign CA fails, and so does a balancer that ends TLS: it answers, and no certificate arrives behind it.
func TestUsersAddress(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	balancer, itsCA := f.endsTLS()
	for sentence, c := range map[string]struct {
		server string
		ca     []byte
		code   int
		check  string
		result string
		detail string
	}{
		"a dead address":           {closedAddress(t), f.servers.CACert, 0, "users' address", "warning", "not tried from here"},
		"a foreign CA":             {f.servers.KubeURL, itsCA, 1, "users' address", "failed", "certificate signed by unknown authority"},
		"a balancer that ends TLS": {balancer, itsCA, 1, "users' login", "failed", "the API server does not trust the new certificate"},
		"the API server itself":    {f.servers.KubeURL, f.servers.CACert, 0, "users' login", "ok", ""},
	} {
		cluster := fmt.Sprintf("{name: e2e, server: %q, certificateAuthorityData: %s}", c.server, base64.StdEncoding.EncodeToString(c.ca))
		f.write("cluster: " + cluster + "\nusers: [{name: alice@OWNER, clusterRoles: [view]}]")
		got := f.preflight(c.code, "--issue")[c.check]
		if got.Result != c.result || !strings.Contains(got.Detail, c.detail) {
			t.Errorf("%s: %+v", sentence, got)
		}
	}
}
