package kube

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/apitest"
)

// loginServer trusts client certificates of apitest.CA and counts connections.
func loginServer(t *testing.T, answer func(w http.ResponseWriter, r *http.Request)) (s *apitest.Server, open func() int) {
	s = apitest.New(t)
	roots := x509.NewCertPool()
	roots.AddCert(apitest.CACert)
	s.TLS = &tls.Config{ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: roots}
	var mu sync.Mutex
	connections := map[net.Conn]bool{}
	s.Config.ConnState = func(c net.Conn, state http.ConnState) {
		mu.Lock()
		defer mu.Unlock()
		switch state {
		case http.StateNew:
			connections[c] = true
		case http.StateClosed, http.StateHijacked:
			delete(connections, c)
		}
	}
	s.Routes["POST "+whoPath] = answer
	return s.Begin(), func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(connections)
	}
}

func TestAuthenticateUsesTheCertificateAlone(t *testing.T) {
	s, open := loginServer(t, func(w http.ResponseWriter, r *http.Request) {
		if a := r.Header.Get("Authorization"); a != "" {
			t.Errorf("sent %q beside the certificate", a)
		}
		who := r.TLS.PeerCertificates[0].Subject
		apitest.Reply(w, http.StatusCreated, whoIs(who.CommonName, append(who.Organization, "system:authenticated")...))
	})
	c := connect(t, s)
	for _, name := range []string{"alice", "bob"} {
		chain, key := apitest.NewUser(name)
		got, err := c.Authenticate(t.Context(), chain, reconcile.NewSecret(key))
		want := reconcile.Identity{Name: name, Groups: []string{"developers", "system:authenticated"}}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("error %v, diff %s", err, diff)
		}
		apitest.WaitFor(t, "the connection to be closed", func() bool { return open() == 0 })
	}
}

func TestAuthenticateReadsRefusals(t *testing.T) {
	chain, key := apitest.NewUser("alice")
	_, other := apitest.NewUser("alice")
	reviews := apitest.Resource("authentication.k8s.io", "selfsubjectreviews")
	forbidden := func(user string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			e := apierrors.NewForbidden(reviews, "", apitest.MissingRight("create", "selfsubjectreviews"))
			e.ErrStatus.Message = strings.ReplaceAll(e.ErrStatus.Message, `"`+apitest.Self+`"`, user)
			apitest.Fail(w, e)
		}
	}
	cases := map[string]struct {
		answer    func(http.ResponseWriter, *http.Request)
		key       []byte
		want      reconcile.Identity
		err, hint string
	}{
		"a 403 that names the user": {forbidden(`"alice@example.com"`), key, reconcile.Identity{Name: "alice@example.com"}, "", ""},
		"a name with quotes in it":  {forbidden(`"a\"b"`), key, reconcile.Identity{Name: `a"b`}, "", ""},
		"a 403 that names nobody":   {forbidden(`somebody`), key, reconcile.Identity{}, "logging in with the new certificate: ", "an admission plugin denies it"},
		"nobody looked at the certificate": {forbidden(`"system:anonymous"`), key, reconcile.Identity{},
			"it saw no client certificate", "ends TLS"},
		"the CA is not trusted": {apitest.Fails(apierrors.NewUnauthorized("Unauthorized")), key, reconcile.Identity{},
			"the API server does not trust the new certificate, which the cluster's own signer issued", "--client-ca-file"},
		"a proxy ends TLS, and nobody may be anonymous": {apitest.Fails(apierrors.NewUnauthorized("Unauthorized")), key, reconcile.Identity{},
			"the API server does not trust the new certificate", "Or a proxy in front of the API server ends TLS"},
		"the key is another's": {nil, other, reconcile.Identity{}, "private key does not match public key", ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s, _ := loginServer(t, tc.answer)
			got, err := connect(t, s).Authenticate(t.Context(), chain, reconcile.NewSecret(tc.key))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
			if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("error is %v, want %q", err, tc.err)
			}
			if err != nil && strings.Contains(err.Error(), "PRIVATE KEY") {
				t.Errorf("the key is in the error: %v", err)
			}
			if hint := reconcile.Hint(err); !strings.Contains(hint, tc.hint) {
				t.Errorf("hint is %q", hint)
			}
		})
	}
}
