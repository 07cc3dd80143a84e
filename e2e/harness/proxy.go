package harness

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"sync/atomic"
	"time"
)

// Proxy stands on loopback between a client and a set's API server and Vault, and does harm where it is told to.
//
// A client certificate ends at a proxy. So this one is a front proxy, as the API server knows them: it checks the
// certificate against the cluster's CA, as the API server would, and says in headers whose it is. All else, tokens
// among it, passes as it came. Both of its addresses have certificates of the CAs of what is behind them, so that a
// client needs another address only.
//
// It speaks HTTP/1.1, where a connection that is reset takes one request with it.
type Proxy struct {
	KubeURL   string // https://127.0.0.1:port
	VaultAddr string // https://127.0.0.1:port

	servers   *Servers
	listeners []*http.Server
	upstreams []*http.Transport
	intercept atomic.Pointer[func(Call) Fault]
}

// Call is a request on its way to a server.
type Call struct {
	Server string // APIServer or Vault
	Method string
	Path   string
	Watch  bool // the answer goes on until somebody ends it
}

// StartProxy starts a proxy that lets everything pass. Stop ends it.
func (s *Servers) StartProxy() (*Proxy, error) {
	p := &Proxy{servers: s}
	frontProxy, err := tls.LoadX509KeyPair(s.pki.path("front-proxy-client.crt"), s.pki.path("front-proxy-client.key"))
	if err != nil {
		return nil, fmt.Errorf("reading the front proxy's certificate: %w", err)
	}
	known := p.upstream(s.pki.cluster, frontProxy)
	unknown := p.upstream(s.pki.cluster)
	clients := x509.NewCertPool()
	clients.AddCert(s.pki.cluster.cert)
	kube := func(w http.ResponseWriter, r *http.Request) {
		through := unknown
		switch err := identify(r, clients); {
		case err != nil:
			answerStatus(w, APIServer, http.StatusUnauthorized)
			return
		case len(r.TLS.PeerCertificates) > 0:
			through = known
		}
		p.pass(w, r, APIServer, s.ports.apiServer, through)
	}
	direct := p.upstream(s.pki.vault)
	vault := func(w http.ResponseWriter, r *http.Request) { p.pass(w, r, Vault, s.ports.vault, direct) }
	if p.KubeURL, err = p.listen(s.pki.cluster, kube); err == nil {
		p.VaultAddr, err = p.listen(s.pki.vault, vault)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting the proxy: %w", err), p.Stop())
	}
	return p, nil
}

// Stop ends the proxy, and with it the watches through it.
func (p *Proxy) Stop() error {
	var errs []error
	for _, l := range p.listeners {
		errs = append(errs, l.Close())
	}
	for _, u := range p.upstreams {
		u.CloseIdleConnections()
	}
	return errors.Join(errs...)
}

// Intercept has every request from now on shown to by, in the order of their arrival, before it goes anywhere. Requests
// come at the same time, and so do the calls of by; one that blocks holds up its own request only. nil ends it.
func (p *Proxy) Intercept(by func(Call) Fault) {
	if by == nil {
		p.intercept.Store(nil)
		return
	}
	p.intercept.Store(&by)
}

// UserKubeconfig is Servers.UserKubeconfig, by way of the proxy.
func (p *Proxy) UserKubeconfig(name string, groups []string) (string, error) {
	certPEM, keyPEM, err := p.servers.pki.cluster.issue(subject(name, groups))
	if err != nil {
		return "", fmt.Errorf("issuing a certificate for %q: %w", name, err)
	}
	path := p.servers.path("users", fileName(name)+".proxy.kubeconfig")
	return path, p.servers.writeKubeconfig(path, p.KubeURL, name, certPEM, keyPEM)
}

// upstream makes connections to a server whose certificate by has issued.
func (p *Proxy) upstream(by *authority, certificates ...tls.Certificate) *http.Transport {
	trusted := x509.NewCertPool()
	trusted.AddCert(by.cert)
	t := &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: trusted, Certificates: certificates, MinVersion: tls.VersionTLS12},
		DisableCompression:  true, // what the client asks for is what it gets
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     time.Minute,
	}
	p.upstreams = append(p.upstreams, t)
	return t
}

// listen serves on a port of its own, with a certificate by by.
func (p *Proxy) listen(by *authority, handler http.HandlerFunc) (url string, err error) {
	certPEM, keyPEM, err := by.issue(pkix.Name{CommonName: "fault-proxy"})
	if err != nil {
		return "", err
	}
	certificate, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return "", err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          quiet,
		TLSConfig: &tls.Config{
			Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12,
			// Checked by identify: the API server, too, answers a certificate that it does not trust by 401.
			ClientAuth: tls.RequestClientCert,
			NextProtos: []string{"http/1.1"},
		},
	}
	p.listeners = append(p.listeners, server)
	go func() { _ = server.ServeTLS(listener, "", "") }()
	return "https://" + listener.Addr().String(), nil
}

// pass carries a request out, with the harm that is to be done to it.
func (p *Proxy) pass(w http.ResponseWriter, r *http.Request, server, address string, through *http.Transport) {
	fault := Fault{}
	if by := p.intercept.Load(); by != nil {
		fault = (*by)(Call{Server: server, Method: r.Method, Path: r.URL.Path, Watch: watches(r)})
	}
	forward := &httputil.ReverseProxy{
		Rewrite: func(out *httputil.ProxyRequest) {
			out.Out.URL.Scheme, out.Out.URL.Host, out.Out.Host = "https", address, out.In.Host
		},
		Transport:     through,
		FlushInterval: -1, // a watch's event goes on at once
		ErrorLog:      quiet,
		// A server that is not there: the client finds the same here.
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { reset(w) },
	}
	fault.serve(w, r, server, forward)
}
