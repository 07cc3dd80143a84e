package apitest

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

// Call is a request that the server got.
type Call struct {
	Method, Path string
	Query        url.Values
	Body         string
}

func (c Call) String() string { return c.Method + " " + c.Path }

// Object is an object of the API as JSON.
type Object = map[string]any

// Server answers like a Kubernetes API server, as far as a test needs it. Routes and Before must not change while it serves
// requests, unless the test holds Mutex.
type Server struct {
	*httptest.Server
	T      *testing.T
	Mutex  sync.Mutex
	Routes map[string]http.HandlerFunc                                      // by "METHOD /path"
	Before func(w http.ResponseWriter, r *http.Request, c Call) (done bool) // called first; may answer instead
	calls  []Call
}

// New returns a server that Begin starts.
func New(t *testing.T) *Server {
	t.Helper()
	s := &Server{T: t, Routes: map[string]http.HandlerFunc{}}
	s.Server = httptest.NewUnstartedServer(s)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of connections that clients end
	s.EnableHTTP2 = true
	return s
}

// Begin starts the server, and stops it with the test. Before that, the test may change the server's TLS configuration.
func (s *Server) Begin() *Server {
	s.StartTLS()
	s.T.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s
}

// ServeHTTP answers by Before, or by the route.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	c := Call{r.Method, r.URL.Path, r.URL.Query(), string(body)}
	s.Mutex.Lock()
	s.calls = append(s.calls, c)
	before := s.Before
	s.Mutex.Unlock()
	if before != nil && before(w, r, c) {
		return
	}
	route := s.Routes[c.String()]
	if route == nil {
		s.T.Errorf("unexpected request: %s?%s", c, r.URL.RawQuery)
		route = func(w http.ResponseWriter, _ *http.Request) {
			Fail(w, apierrors.NewInternalError(fmt.Errorf("no route")))
		}
	}
	route(w, r)
}

// Called returns the requests whose "METHOD /path" begins with prefix.
func (s *Server) Called(prefix string) (found []Call) {
	s.Mutex.Lock()
	defer s.Mutex.Unlock()
	for _, c := range s.calls {
		if strings.HasPrefix(c.String(), prefix) {
			found = append(found, c)
		}
	}
	return found
}

// RESTConfig returns a client's configuration for the server.
func (s *Server) RESTConfig() *rest.Config {
	return &rest.Config{
		Host:        s.URL,
		BearerToken: "certsyncs-own-token",
		QPS:         -1,
		ContentConfig: rest.ContentConfig{
			ContentType:        runtime.ContentTypeProtobuf,
			AcceptContentTypes: runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON,
		},
		TLSClientConfig: rest.TLSClientConfig{CAData: PEM("CERTIFICATE", s.Certificate().Raw)},
	}
}

// Paged serves items as a list of kind, a page at a time, as limit and continue say.
func Paged(kind string, items ...any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		from, _ := strconv.Atoi(r.URL.Query().Get("continue"))
		limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
		to, next := len(items), ""
		if limit > 0 && from+limit < len(items) {
			to = from + limit
			next = strconv.Itoa(to)
		}
		apiVersion, kind, _ := strings.Cut(kind, " ")
		Reply(w, http.StatusOK, map[string]any{
			"apiVersion": apiVersion, "kind": kind, "items": items[from:to],
			"metadata": map[string]any{"resourceVersion": "100", "continue": next},
		})
	}
}

// Answers serves one object.
func Answers(status int, obj any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { Reply(w, status, obj) }
}

// Fails serves an error of the API.
func Fails(err *apierrors.StatusError) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { Fail(w, err) }
}

// Fail answers with an error of the API.
func Fail(w http.ResponseWriter, err *apierrors.StatusError) {
	status := err.Status()
	status.APIVersion, status.Kind = "v1", "Status"
	if status.Details != nil && status.Details.RetryAfterSeconds > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(status.Details.RetryAfterSeconds)))
	}
	Reply(w, int(status.Code), status)
}

// Reply answers with an object.
func Reply(w http.ResponseWriter, status int, obj any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(obj)
}

// Decode reads a typed object, in protobuf or JSON, from a request's body.
func Decode[T any](body string) (T, error) {
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

// Resource names what an API error is about.
func Resource(group, name string) schema.GroupResource {
	return schema.GroupResource{Group: group, Resource: name}
}

// Self is certsync's own name for the server.
const Self = "system:serviceaccount:certsync:certsync"

// MissingRight returns the reason that an API server gives if Self lacks a right.
func MissingRight(verb, resource string) error {
	const kind = "User" // the API server begins its text in upper case
	return fmt.Errorf("%s %q cannot %s resource %q at the cluster scope", kind, Self, verb, resource)
}
