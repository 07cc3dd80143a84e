package kube

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/rest"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/api"
	"github.com/certsync/certsync/reconcile/preflight"
)

const (
	// reachTime bounds how long an address may take to answer. Firewalls often answer nothing.
	reachTime = 10 * time.Second
	// maxVersion bounds the answer that is read there. An API server's has a few hundred bytes.
	maxVersion = 64 << 10
)

// caHint is the hint for a server that has no certificate of the CA that people get.
const caHint = "users' kubectl refuses this server. Set cluster.certificateAuthority in the inventory to the CA of the server at that address, " +
	"or cluster.tlsServerName to the name in its certificate"

// endedHint is the hint for a server that is not the API server itself.
const endedHint = "client certificates need TLS from kubectl to the API server. Let the load balancer pass TLS through, " +
	"or set another cluster.server in the inventory"

// Reach asks for the API server's version as a user's kubectl does: at the address, and with the CA, TLS name and proxy, that
// users get. It sends none of certsync's credentials. The error is a preflight.ErrNotReached if nothing answers.
func (c *Cluster) Reach(ctx context.Context, e reconcile.Endpoint) error {
	doing := "asking " + e.Server + " for its version"
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	config, err := configOf(e)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	settings, err := rest.TLSConfigFor(config)
	if err != nil {
		return reconcile.WithHint(fmt.Errorf("%s: %w", doing, err), caHint)
	}
	if settings == nil { // without a CA, people's machines use their own
		settings = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	var asked atomic.Bool // for a client certificate
	settings.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		asked.Store(true)
		return &tls.Certificate{}, nil
	}
	transport := &http.Transport{TLSClientConfig: settings, Proxy: config.Proxy}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(e.Server, "/")+"/version", nil)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return unreached(doing, err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxVersion))
	switch {
	case err != nil:
		return unreached(doing, err)
	case answer.StatusCode == http.StatusTooManyRequests, answer.StatusCode >= http.StatusInternalServerError:
		return fmt.Errorf("%s: %w: the answer is %s", doing, preflight.ErrNotReached, api.Shorten(answer.Status))
	case !isAPIServer(answer.StatusCode, body):
		return reconcile.WithHint(fmt.Errorf("%s: the server there (%s) is not an API server", doing, api.Shorten(answer.Status)),
			"set cluster.server in the inventory to the API server's address as users reach it")
	case !asked.Load():
		return reconcile.WithHint(fmt.Errorf("%s: the server there asks for no client certificate, so it is not the API server itself", doing), endedHint)
	}
	return nil
}

// LoginAt logs in with a certificate as a user's kubectl does, see Reach.
func (c *Cluster) LoginAt(ctx context.Context, e reconcile.Endpoint, chain []byte, key reconcile.Secret) (reconcile.Identity, error) {
	doing := "logging in at " + e.Server
	config, err := configOf(e)
	if err != nil {
		return reconcile.Identity{}, fmt.Errorf("%s: %w", doing, err)
	}
	limited, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	there := &api.Server{Address: e.Server}
	return login{
		config: config, doing: doing, hint: endedHint + "; or check whether it is another cluster's address",
		failed: func(doing string, err error) error {
			if errors.As(err, new(apierrors.APIStatus)) {
				return there.Failed(doing, err)
			}
			return unreached(doing, err)
		},
	}.as(limited, chain, key)
}

// configOf returns what kubectl makes of a user's kubeconfig, without the user.
func configOf(e reconcile.Endpoint) (*rest.Config, error) {
	config := &rest.Config{Host: e.Server, TLSClientConfig: rest.TLSClientConfig{CAData: e.CA, ServerName: e.TLSServerName}, Proxy: http.ProxyFromEnvironment}
	if e.ProxyURL != "" {
		proxy, err := url.Parse(e.ProxyURL)
		if err != nil {
			return nil, errors.New("the proxy's URL cannot be read") // the error would repeat it
		}
		config.Proxy = http.ProxyURL(proxy)
	}
	return config, nil
}

// isAPIServer reports whether an answer to GET /version is an API server's: a version, or the Status of one that tells nothing
// to anonymous clients.
func isAPIServer(code int, body []byte) bool {
	var v version.Info
	var s metav1.Status
	switch code {
	case http.StatusOK:
		return json.Unmarshal(body, &v) == nil && v.GitVersion != ""
	case http.StatusUnauthorized, http.StatusForbidden:
		return json.Unmarshal(body, &s) == nil && s.Kind == "Status" && s.Code == int32(code)
	}
	return false
}

// unreached tells a server that people's kubectl refuses from one that this machine does not reach.
func unreached(doing string, err error) error {
	var (
		untrusted *tls.CertificateVerificationError
		plain     tls.RecordHeaderError
		name      *net.DNSError
	)
	switch {
	case errors.As(err, &untrusted):
		return reconcile.WithHint(fmt.Errorf("%s: %w", doing, api.Brief(untrusted.Err)), caHint)
	case errors.As(err, &plain):
		return reconcile.WithHint(fmt.Errorf("%s: the server there does not speak TLS", doing), endedHint)
	case errors.As(err, &name):
		return fmt.Errorf("%s: %w: the name %q has no address here", doing, preflight.ErrNotReached, name.Name)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w: no answer within %s", doing, preflight.ErrNotReached, reachTime)
	}
	if transport := (*url.Error)(nil); errors.As(err, &transport) {
		err = transport.Err // the URL says no more than the address
	}
	return fmt.Errorf("%s: %w: %w", doing, preflight.ErrNotReached, api.Brief(err))
}
