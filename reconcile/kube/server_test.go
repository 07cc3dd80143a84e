package kube

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
)

// call is a request that the test server got.
type call struct {
	method, path string
	query        url.Values
	body         string
}

func (c call) String() string { return c.method + " " + c.path }

// apiServer answers like a Kubernetes API server as far as the tests go. A route is "METHOD /path"; before is asked
// first and may answer instead.
type apiServer struct {
	*httptest.Server
	t      *testing.T
	mu     sync.Mutex
	calls  []call
	routes map[string]http.HandlerFunc
	before func(w http.ResponseWriter, r *http.Request, c call) bool
}

func newServer(t *testing.T) *apiServer {
	t.Helper()
	s := &apiServer{t: t, routes: map[string]http.HandlerFunc{}}
	s.Server = httptest.NewUnstartedServer(s)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of connections that clients end
	s.EnableHTTP2 = true
	return s
}

// begin starts the server; the test may have changed its TLS configuration.
func (s *apiServer) begin() *apiServer {
	s.StartTLS()
	s.t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s
}

func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	c := call{r.Method, r.URL.Path, r.URL.Query(), string(body)}
	s.mu.Lock()
	s.calls = append(s.calls, c)
	before := s.before
	s.mu.Unlock()
	if before != nil && before(w, r, c) {
		return
	}
	route := s.routes[c.String()]
	if route == nil {
		s.t.Errorf("unexpected request: %s?%s", c, r.URL.RawQuery)
		route = func(w http.ResponseWriter, _ *http.Request) {
			fail(w, apierrors.NewInternalError(fmt.Errorf("no route")))
		}
	}
	route(w, r)
}

// called counts the requests whose "METHOD /path" begins with prefix.
func (s *apiServer) called(prefix string) (found []call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.calls {
		if strings.HasPrefix(c.String(), prefix) {
			found = append(found, c)
		}
	}
	return found
}

// restConfig is how to reach the server.
func (s *apiServer) restConfig() *rest.Config {
	return &rest.Config{
		Host:        s.URL,
		BearerToken: "certsyncs-own-token",
		QPS:         -1,
		ContentConfig: rest.ContentConfig{
			ContentType:        runtime.ContentTypeProtobuf,
			AcceptContentTypes: runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON,
		},
		TLSClientConfig: rest.TLSClientConfig{CAData: pemBlock("CERTIFICATE", s.Certificate().Raw)},
	}
}

func (s *apiServer) cluster() *Cluster {
	s.t.Helper()
	c, err := newCluster(s.restConfig(), s.URL, kubeconfigEntry{name: "test"})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// paged serves items as a list of kind, a page at a time, as limit and continue say.
func paged(kind string, items ...any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		from, _ := strconv.Atoi(r.URL.Query().Get("continue"))
		limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
		to, next := len(items), ""
		if limit > 0 && from+limit < len(items) {
			to = from + limit
			next = strconv.Itoa(to)
		}
		apiVersion, kind, _ := strings.Cut(kind, " ")
		reply(w, http.StatusOK, map[string]any{
			"apiVersion": apiVersion, "kind": kind, "items": items[from:to],
			"metadata": map[string]any{"resourceVersion": "100", "continue": next},
		})
	}
}

// answers serves one object.
func answers(status int, obj any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { reply(w, status, obj) }
}

// fails serves an error of the API.
func fails(err *apierrors.StatusError) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fail(w, err) }
}

func fail(w http.ResponseWriter, err *apierrors.StatusError) {
	status := err.Status()
	status.APIVersion, status.Kind = "v1", "Status"
	if status.Details != nil && status.Details.RetryAfterSeconds > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(status.Details.RetryAfterSeconds)))
	}
	reply(w, int(status.Code), status)
}

func reply(w http.ResponseWriter, status int, obj any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(obj)
}

// decode reads a typed object, in protobuf or JSON, from a request's body.
func decode[T any](body string) (T, error) {
	var none T
	obj, _, err := scheme.Codecs.UniversalDeserializer().Decode([]byte(body), nil, nil)
	if err != nil {
		return none, err
	}
	t, ok := any(obj).(T)
	if !ok {
		return none, fmt.Errorf("got a %T", obj)
	}
	return t, nil
}

// resource names what an API error is about.
func resource(group, name string) schema.GroupResource {
	return schema.GroupResource{Group: group, Resource: name}
}

// errors403 is the reason that the API server gives for a missing right.
func errors403(verb, resource string) error {
	return fmt.Errorf("User %q cannot %s resource %q at the cluster scope", self, verb, resource)
}
