package kube

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/apitest"
	"github.com/certsync/certsync/reconcile/preflight"
)

// peoplesServer is a server at people's address that asks for client certificates, and how people get there.
func peoplesServer(t *testing.T, version http.HandlerFunc) (*apitest.Server, reconcile.Endpoint) {
	t.Helper()
	s := apitest.New(t)
	s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	s.Routes["GET /version"] = version
	s.Begin()
	return s, reconcile.Endpoint{Name: "prod", Server: s.URL, CA: s.RESTConfig().CAData}
}

var aVersion = apitest.Answers(http.StatusOK, object{"gitVersion": "v1.36.3"})

// TestReach: people's address is dialled with what people get, and without anything of certsync's own.
func TestReach(t *testing.T) {
	text := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code); _, _ = io.WriteString(w, body) }
	}
	for sentence, tt := range map[string]struct {
		version   http.HandlerFunc
		change    func(*testing.T, *reconcile.Endpoint)
		unreached bool
		err, hint string
	}{
		"an API server":                           {version: aVersion},
		"a slash at the end of the address":       {version: aVersion, change: func(_ *testing.T, e *reconcile.Endpoint) { e.Server += "/" }},
		"an API server without anonymous clients": {version: apitest.Fails(apierrors.NewUnauthorized("Unauthorized"))},
		"another CA": {version: aVersion, change: func(_ *testing.T, e *reconcile.Endpoint) { e.CA = apitest.CA },
			err: "certificate signed by unknown authority", hint: "cluster.certificateAuthority"},
		"without a CA, by those of the system": {version: aVersion, change: func(_ *testing.T, e *reconcile.Endpoint) { e.CA = nil }, err: "x509: ", hint: "cluster.certificateAuthority"},
		"another TLS name":                     {version: aVersion, change: func(_ *testing.T, e *reconcile.Endpoint) { e.TLSServerName = "k8s.corp" }, err: "k8s.corp", hint: "cluster.tlsServerName"},
		"a page":                               {version: text(http.StatusOK, "<html>"), err: "the server there (200 OK) is not an API server", hint: "cluster.server"},
		"a page that refuses":                  {version: text(http.StatusForbidden, "<html>"), err: "the server there (403 Forbidden) is not an API server"},
		"a login page": {version: func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) },
			err: "the server there (302 Found) is not an API server"},
		"a balancer without servers": {version: text(http.StatusServiceUnavailable, ""), unreached: true, err: "not tried from here: the answer is 503"},
		"a balancer that ends TLS": {change: func(t *testing.T, e *reconcile.Endpoint) {
			s := httptest.NewTLSServer(aVersion)
			t.Cleanup(s.Close)
			e.Server, e.CA = s.URL, apitest.PEM("CERTIFICATE", s.Certificate().Raw)
		}, err: "asks for no client certificate", hint: "pass TLS through"},
		"a server without TLS": {change: func(t *testing.T, e *reconcile.Endpoint) {
			s := httptest.NewServer(aVersion)
			t.Cleanup(s.Close)
			e.Server = strings.Replace(s.URL, "http:", "https:", 1)
		}, err: "does not speak TLS", hint: "pass TLS through"},
		"nobody listens": {change: func(_ *testing.T, e *reconcile.Endpoint) { e.Server = "https://" + closedAddress(t) }, unreached: true, err: "not tried from here: dial tcp"},
		"a proxy that is down": {version: aVersion, change: func(_ *testing.T, e *reconcile.Endpoint) { e.ProxyURL = "http://" + closedAddress(t) },
			unreached: true, err: "not tried from here: proxyconnect"},
	} {
		t.Run(sentence, func(t *testing.T) {
			s, e := peoplesServer(t, tt.version)
			if tt.change != nil {
				tt.change(t, &e)
			}
			err := (&Cluster{}).Reach(t.Context(), e)
			if (err == nil) != (tt.err == "") || err != nil && (!strings.Contains(err.Error(), tt.err) || !strings.Contains(reconcile.Hint(err), tt.hint)) {
				t.Errorf("%v, hint %q", err, reconcile.Hint(err))
			}
			if errors.Is(err, preflight.ErrNotReached) != tt.unreached {
				t.Errorf("not reached: %t", !tt.unreached)
			}
			for _, c := range s.Called("") {
				if c.String() != "GET /version" {
					t.Errorf("sent %s", c)
				}
			}
		})
	}
}

// TestReachOfASilentAddress: a firewall that answers nothing ends the wait in time.
func TestReachOfASilentAddress(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := (&Cluster{}).Reach(ctx, reconcile.Endpoint{Server: "https://" + silent.Addr().String()}); !errors.Is(err, preflight.ErrNotReached) {
		t.Error(err)
	}
}

// TestUnknownName: the resolver's address says nothing to people.
func TestUnknownName(t *testing.T) {
	err := unreached("asking", &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "k8s.corp", Server: "10.9.8.7:53"}})
	if want := `asking: not tried from here: the name "k8s.corp" has no address here`; err.Error() != want {
		t.Error(err)
	}
}

// TestReachThroughTheProxy: the proxy is that of people's kubeconfigs.
func TestReachThroughTheProxy(t *testing.T) {
	_, e := peoplesServer(t, aVersion)
	var passed atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		there, err := net.Dial("tcp", r.Host)
		if err != nil || r.Method != http.MethodConnect {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		passed.Add(1)
		here, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = fmt.Fprint(here, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(there, here); _ = there.Close() }()
		go func() { _, _ = io.Copy(here, there); _ = here.Close() }()
	}))
	defer proxy.Close()
	e.ProxyURL = proxy.URL
	if err := (&Cluster{}).Reach(t.Context(), e); err != nil || passed.Load() != 1 {
		t.Errorf("%v, %d connections", err, passed.Load())
	}
}

// TestLoginAt: the certificate must be taken at people's address, for whom it names.
func TestLoginAt(t *testing.T) {
	chain, key := apitest.NewUser("alice")
	for sentence, tt := range map[string]struct {
		answer    http.HandlerFunc
		closed    bool
		err, hint string
	}{
		"it is": {answer: func(w http.ResponseWriter, r *http.Request) {
			apitest.Reply(w, http.StatusCreated, whoIs(r.TLS.PeerCertificates[0].Subject.CommonName))
		}},
		"it is not":                      {answer: apitest.Fails(apierrors.NewUnauthorized("Unauthorized")), err: "does not trust the new certificate", hint: "another cluster"},
		"nobody looks at it":             {answer: apitest.Answers(http.StatusCreated, whoIs("system:anonymous")), err: "it saw no client certificate", hint: "ends TLS"},
		"nothing answers there any more": {closed: true, err: "not tried from here"},
	} {
		t.Run(sentence, func(t *testing.T) {
			s, e := peoplesServer(t, nil)
			s.Routes["POST "+whoPath] = tt.answer
			if tt.closed {
				e.Server = "https://" + closedAddress(t)
			}
			who, err := (&Cluster{}).LoginAt(t.Context(), e, chain, reconcile.NewSecret(key))
			if (err == nil) != (tt.err == "") || err != nil && (!strings.Contains(err.Error(), tt.err) || !strings.Contains(reconcile.Hint(err), tt.hint)) {
				t.Errorf("%v, hint %q", err, reconcile.Hint(err))
			}
			if err == nil && who.Name != "alice" || errors.Is(err, preflight.ErrNotReached) != tt.closed {
				t.Errorf("%q, %v", who.Name, err)
			}
		})
	}
}

// closedAddress is an address at which nobody listens.
func closedAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
