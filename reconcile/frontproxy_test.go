package reconcile

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
		all = append(all, leafPEM(c.Certificate)...)
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
			if got := NewFrontProxy(tc.clients, tc.proxies, nil, proxyTime).SharedCA; got != tc.want {
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
		return []byte(leafPEM(signed(t, &x509.Certificate{
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
			if got := (FrontProxy{CAs: tc.cas}).Trusts(tc.chain, proxyTime); got != tc.want {
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
		proxy  FrontProxy
		rules  Rules
		hold   bool
		want   string   // in what it refuses for
		issued []string // otherwise
	}{
		"one CA, any name":                          {FrontProxy{SharedCA: true}, Rules{}, false, "--accept-shared-ca", nil},
		"one CA, any name, and held":                {FrontProxy{SharedCA: true}, Rules{}, true, "--accept-shared-ca", nil},
		"one CA, any name, accepted":                {FrontProxy{SharedCA: true}, Rules{AcceptSharedCA: true}, false, "", []string{"alice", "front-proxy-client"}},
		"one CA, one of its names":                  {FrontProxy{SharedCA: true, AllowedNames: named}, Rules{}, false, "", []string{"alice"}},
		"one CA, one of its names, accepted":        {FrontProxy{SharedCA: true, AllowedNames: named}, Rules{AcceptSharedCA: true}, false, "", []string{"alice"}},
		"one CA, one of its names, and held":        {FrontProxy{SharedCA: true, AllowedNames: named}, Rules{}, true, "", []string{"alice"}},
		"one CA, other names":                       {FrontProxy{SharedCA: true, AllowedNames: named[:1]}, Rules{}, false, "", []string{"alice", "front-proxy-client"}},
		"a CA each, any name":                       {FrontProxy{}, Rules{}, false, "", []string{"alice", "front-proxy-client"}},
		"a CA each, and a user with a proxy's name": {FrontProxy{AllowedNames: named}, Rules{}, false, "", []string{"alice", "front-proxy-client"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.frontProxy, w.rules, w.hold = tc.proxy, tc.rules, tc.hold
			outcome, err := w.apply(parse(t, all))
			if tc.want != "" {
				if _, refused := err.(Refused); !refused || !strings.Contains(err.Error(), tc.want) || len(w.writes()) > 0 {
					t.Errorf("error %v, writes %q", err, w.writes())
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var issued []string
			for _, e := range outcome.Events {
				if e.Action == Issue && e.Result == Done {
					issued = append(issued, e.User)
				}
			}
			slices.Sort(issued)
			w.frontProxy = FrontProxy{SharedCA: true, AllowedNames: named}
			noted := slices.ContainsFunc(w.plan(parse(t, all)).Notes, func(n Note) bool { return n.Kind == FrontProxyName })
			if noted != slices.Contains(issued, "front-proxy-client") {
				t.Errorf("that somebody has such a certificate is noted: %t", noted)
			}
			if diff := cmp.Diff(tc.issued, issued); diff != "" {
				t.Error(diff)
			}
			for object, b := range w.bindings {
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
		rules Rules
		want  string
	}{
		"any name":           {nil, Rules{}, "--accept-shared-ca"},
		"any name, accepted": {nil, Rules{AcceptSharedCA: true}, ""},
		"another name":       {[]string{"aggregator"}, Rules{}, ""},
		"this name":          {[]string{"alice"}, Rules{AcceptSharedCA: true}, "choose another name"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.frontProxy, w.rules = FrontProxy{CAs: []byte(leafPEM(w.ca)), AllowedNames: tc.names}, tc.rules
			outcome, err := w.apply(parse(t, "users: [{name: alice, clusterRoles: [view]}]"))
			if err != nil {
				t.Fatal(err)
			}
			first := outcome.Events[0]
			if refused := first.Result == Failed && len(w.bindings) == 0; refused != (tc.want != "") || !strings.Contains(first.Error, tc.want) {
				t.Errorf("%s: %s, bindings %d", first.Result, first.Error, len(w.bindings))
			}
		})
	}
}
