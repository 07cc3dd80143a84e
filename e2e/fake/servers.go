package fake

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/certsync/certsync/vaultstore/kvtest"
)

// Servers are an API server (TLS, HTTP/1.1: to close a connection must not end other requests) and a Vault, behind which
// many worlds stand: at the API server the first element of the path says which, at Vault the token.
type Servers struct {
	authority         *Authority // of the API server's own certificate
	kubernetes, vault *httptest.Server

	mu     sync.Mutex
	fronts map[string]*Front
	opened int
	delay  time.Duration
}

// connKey is the context key of a request's connection.
type connKey struct{}

// Start starts the servers, to be closed.
func Start() (*Servers, error) {
	authority, err := NewAuthority("fake-cluster-ca")
	if err != nil {
		return nil, err
	}
	certificate, err := authority.server()
	if err != nil {
		return nil, err
	}
	s := &Servers{authority: authority, fronts: map[string]*Front{}}
	quiet := log.New(io.Discard, "", 0) // of connections that clients end
	s.kubernetes = httptest.NewUnstartedServer(http.HandlerFunc(s.serveKubernetes))
	s.kubernetes.TLS = &tls.Config{
		Certificates: []tls.Certificate{certificate}, ClientAuth: tls.RequestClientCert,
		CurvePreferences: []tls.CurveID{tls.X25519}, // the cheapest: tests make thousands of connections
	}
	s.kubernetes.Config.ErrorLog = quiet
	s.kubernetes.StartTLS()
	s.vault = httptest.NewUnstartedServer(http.HandlerFunc(s.serveVault))
	s.vault.Config.ErrorLog = quiet
	s.vault.Config.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, conn)
	}
	s.vault.Start()
	return s, nil
}

// Close stops the servers.
func (s *Servers) Close() {
	for _, server := range []*httptest.Server{s.kubernetes, s.vault} {
		server.CloseClientConnections()
		server.Close()
	}
}

// VaultAddress is the value for VAULT_ADDR.
func (s *Servers) VaultAddress() string { return s.vault.URL }

// Open lets one run into a world.
func (s *Servers) Open(w *World) *Front {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened++
	f := &Front{world: w, servers: s, name: fmt.Sprintf("w%d", s.opened), seen: map[string]int{}, faults: map[Call]FaultKind{},
		conns: map[net.Conn]bool{}, atVault: make(chan struct{})}
	f.over, f.end = context.WithCancel(context.Background())
	s.fronts[f.name] = f
	return f
}

// Delay has every request from now on come late by d, as over a long line.
func (s *Servers) Delay(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay = d
}

// front returns the one with a name, once a request has come to it.
func (s *Servers) front(name string) *Front {
	s.mu.Lock()
	f, delay := s.fronts[name], s.delay
	s.mu.Unlock()
	time.Sleep(delay)
	return f
}

func (s *Servers) forget(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.fronts, name)
}

func (s *Servers) serveKubernetes(w http.ResponseWriter, r *http.Request) {
	name, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	f := s.front(name)
	if f == nil {
		panic(http.ErrAbortHandler) // that run is over
	}
	f.serveKubernetes(w, r, path)
}

func (s *Servers) serveVault(w http.ResponseWriter, r *http.Request) {
	f := s.front(r.Header.Get("X-Vault-Token"))
	if f == nil {
		kvtest.Fail(w, http.StatusForbidden, "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n")
		return
	}
	if conn, ok := r.Context().Value(connKey{}).(net.Conn); ok {
		f.remember(conn)
	}
	f.serveVault(w, r, strings.TrimPrefix(r.URL.Path, "/v1/"))
}
