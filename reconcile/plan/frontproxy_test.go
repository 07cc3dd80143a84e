package plan_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/pki"
	"github.com/certsync/certsync/reconcile/reconciletest"
)

// testCA is a CA for tests of who trusts whom.
type testCA struct {
	*x509.Certificate
	key crypto.Signer
}

var proxyTime = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// newTestCA makes a CA with a key, signed by parent, or by itself.
func newTestCA(t *testing.T, name string, key crypto.Signer, parent *testCA, until time.Time) testCA {
	t.Helper()
	if key == nil {
		var err error
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: proxyTime.AddDate(-1, 0, 0), NotAfter: until,
	}
	signer := &testCA{template, key}
	if parent != nil {
		signer = parent
	}
	return testCA{signed(t, template, signer.Certificate, key.Public(), signer.key), key}
}

func signed(t *testing.T, template, parent *x509.Certificate, pub crypto.PublicKey, by crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, pub, by)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func bundle(certs ...testCA) []byte {
	var all []byte
	for _, c := range certs {
		all = append(all, pki.LeafPEM(c.Certificate)...)
	}
	return all
}

func TestFrontProxySharesACA(t *testing.T) {
	later := proxyTime.AddDate(9, 0, 0)
	clients := newTestCA(t, "clients", nil, nil, later)
	proxies := newTestCA(t, "proxies", nil, nil, later)
	renewed := newTestCA(t, "renewed", clients.key, nil, later)
	below := newTestCA(t, "below the proxies' CA", nil, &proxies, later)
	above := newTestCA(t, "the proxies' CA below the clients'", nil, &clients, later)
	expired := newTestCA(t, "expired", nil, nil, proxyTime.Add(-time.Hour))
	belowExpired := newTestCA(t, "below an expired one", nil, &expired, later)
	garbage := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("junk")})
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: clients.Raw})
	for name, tc := range map[string]struct {
		clients, proxies []byte
		want             bool
	}{
		"a CA each":                                       {bundle(clients), bundle(proxies), false},
		"one for both":                                    {bundle(clients), bundle(clients), true},
		"one of several for both":                         {bundle(clients, proxies), bundle(renewed), true},
		"one key under two names":                         {bundle(clients), bundle(renewed), true},
		"the proxies' CA signed the clients'":             {bundle(below), bundle(proxies), true},
		"the clients' CA signed the proxies'":             {bundle(clients), bundle(above), false},
		"the proxies' CA that signed the clients' is old": {bundle(belowExpired), bundle(expired), false},
		"no front proxy":                                  {bundle(clients), nil, false},
		"no CA for clients":                               {nil, bundle(proxies), false},
		"nothing":                                         {nil, nil, false},
		"garbage":                                         {garbage, garbage, false},
		"garbage around the one for both":                 {slices.Concat([]byte("x\n"), garbage, bundle(clients)), slices.Concat(garbage, bundle(clients), []byte("-----BEGIN")), true},
		"a certificate that calls itself a key":           {key, bundle(clients), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := reconcile.NewFrontProxy(tc.clients, tc.proxies, nil, proxyTime).SharedCA; got != tc.want {
				t.Errorf("shared: %t", got)
			}
		})
	}
}

func TestFrontProxyTrustsAChain(t *testing.T) {
	later := proxyTime.AddDate(9, 0, 0)
	root := newTestCA(t, "root", nil, nil, later)
	below := newTestCA(t, "below", nil, &root, later)
	leaf := func(usage x509.ExtKeyUsage) []byte {
		return []byte(pki.LeafPEM(signed(t, &x509.Certificate{
			SerialNumber: big.NewInt(8), Subject: pkix.Name{CommonName: "alice"}, ExtKeyUsage: []x509.ExtKeyUsage{usage},
			NotBefore: proxyTime.Add(-time.Hour), NotAfter: proxyTime.Add(time.Hour),
		}, below.Certificate, root.key.Public(), below.key)))
	}
	client := leaf(x509.ExtKeyUsageClientAuth)
	for name, tc := range map[string]struct {
		cas, chain []byte
		want       bool
	}{
		"signed by a front proxy's CA":        {bundle(below), client, true},
		"by one below it, which is shown":     {bundle(root), slices.Concat(client, bundle(below)), true},
		"by one below it, which is not shown": {bundle(root), client, false},
		"not for clients":                     {bundle(below), leaf(x509.ExtKeyUsageServerAuth), false},
		"no CA of front proxies":              {nil, client, false},
		"garbage":                             {bytes.Repeat([]byte("-----BEGIN CERTIFICATE-----\n"), 100), client, false},
		"no certificate":                      {bundle(below), nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := (reconcile.FrontProxy{CAs: tc.cas}).Trusts(tc.chain, proxyTime); got != tc.want {
				t.Errorf("trusted: %t", got)
			}
		})
	}
}

// TestSharedCA: where any certificate makes its holder whoever they like, nothing is written unless somebody takes that;
// where some names do, nobody gets one of these.
func TestSharedCA(t *testing.T) {
	const all = "users: [{name: alice, clusterRoles: [view]}, {name: front-proxy-client, clusterRoles: [view]}]"
	named := []string{"aggregator", "front-proxy-client"}
	for name, tc := range map[string]struct {
		proxy  reconcile.FrontProxy
		rules  reconcile.Rules
		hold   bool
		want   string   // in what it refuses for
		issued []string // otherwise
	}{
		"one CA, any name":                          {reconcile.FrontProxy{SharedCA: true}, reconcile.Rules{}, false, "--accept-shared-ca", nil},
		"one CA, any name, and held":                {reconcile.FrontProxy{SharedCA: true}, reconcile.Rules{}, true, "--accept-shared-ca", nil},
		"one CA, any name, accepted":                {reconcile.FrontProxy{SharedCA: true}, reconcile.Rules{AcceptSharedCA: true}, false, "", []string{"alice", "front-proxy-client"}},
		"one CA, one of its names":                  {reconcile.FrontProxy{SharedCA: true, AllowedNames: named}, reconcile.Rules{}, false, "", []string{"alice"}},
		"one CA, one of its names, accepted":        {reconcile.FrontProxy{SharedCA: true, AllowedNames: named}, reconcile.Rules{AcceptSharedCA: true}, false, "", []string{"alice"}},
		"one CA, one of its names, and held":        {reconcile.FrontProxy{SharedCA: true, AllowedNames: named}, reconcile.Rules{}, true, "", []string{"alice"}},
		"one CA, other names":                       {reconcile.FrontProxy{SharedCA: true, AllowedNames: named[:1]}, reconcile.Rules{}, false, "", []string{"alice", "front-proxy-client"}},
		"a CA each, any name":                       {reconcile.FrontProxy{}, reconcile.Rules{}, false, "", []string{"alice", "front-proxy-client"}},
		"a CA each, and a user with a proxy's name": {reconcile.FrontProxy{AllowedNames: named}, reconcile.Rules{}, false, "", []string{"alice", "front-proxy-client"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			w.FrontProxy, w.Rules, w.Hold = tc.proxy, tc.rules, tc.hold
			outcome, err := w.Apply(reconciletest.Parse(t, all))
			if tc.want != "" {
				if _, refused := err.(reconcile.Refused); !refused || !strings.Contains(err.Error(), tc.want) || len(w.Writes()) > 0 {
					t.Errorf("error %v, writes %q", err, w.Writes())
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var issued []string
			for _, e := range outcome.Events {
				if e.Action == reconcile.Issue && e.Result == reconcile.Done {
					issued = append(issued, e.User)
				}
			}
			slices.Sort(issued)
			w.FrontProxy = reconcile.FrontProxy{SharedCA: true, AllowedNames: named}
			noted := slices.ContainsFunc(w.Plan(reconciletest.Parse(t, all)).Notes, func(n reconcile.Note) bool { return n.Kind == reconcile.FrontProxyName })
			if noted != slices.Contains(issued, "front-proxy-client") {
				t.Errorf("that somebody has such a certificate is noted: %t", noted)
			}
			if diff := cmp.Diff(tc.issued, issued); diff != "" {
				t.Error(diff)
			}
			for object, b := range w.Bindings {
				if !slices.Contains(tc.issued, b.Subjects[0].Name) {
					t.Errorf("%s was made", object)
				}
			}
		})
	}
}

// TestUnpublishedSharedCA: what is found out only when a certificate is issued keeps it from being stored.
func TestUnpublishedSharedCA(t *testing.T) {
	for name, tc := range map[string]struct {
		names []string
		rules reconcile.Rules
		want  string
	}{
		"any name":           {nil, reconcile.Rules{}, "--accept-shared-ca"},
		"any name, accepted": {nil, reconcile.Rules{AcceptSharedCA: true}, ""},
		"another name":       {[]string{"aggregator"}, reconcile.Rules{}, ""},
		"this name":          {[]string{"alice"}, reconcile.Rules{AcceptSharedCA: true}, "choose another name"},
	} {
		t.Run(name, func(t *testing.T) {
			w := reconciletest.NewWorld(t)
			w.FrontProxy, w.Rules = reconcile.FrontProxy{CAs: []byte(pki.LeafPEM(w.CA)), AllowedNames: tc.names}, tc.rules
			outcome, err := w.Apply(reconciletest.Parse(t, "users: [{name: alice, clusterRoles: [view]}]"))
			if err != nil {
				t.Fatal(err)
			}
			first := outcome.Events[0]
			if refused := first.Result == reconcile.Failed && len(w.Bindings) == 0; refused != (tc.want != "") || !strings.Contains(first.Error, tc.want) {
				t.Errorf("%s: %s, bindings %d", first.Result, first.Error, len(w.Bindings))
			}
		})
	}
}
