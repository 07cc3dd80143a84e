package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/certsync/certsync/reconcile/httplimit"
)

// requestTimeout is the API server's own default limit for a request. With a shorter one, certsync would give up on
// writes that the server still carries out.
const requestTimeout = time.Minute

// WithTimeout returns the context of one request, which ends after a minute. It is not for watches.
func WithTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(Quiet(ctx), requestTimeout)
}

// Quiet returns a context in which client-go does not log. client-go also returns each of these messages as an error.
func Quiet(ctx context.Context) context.Context {
	return klog.NewContext(ctx, klog.Logger{}) // the zero Logger writes nothing
}

// maxAnswer is the limit in bytes for one answer, or for one event of a watch. By default, etcd takes an object of at most
// 1.5 MiB. As JSON it can have six times as many bytes: a < becomes \u003c.
const maxAnswer = 16 << 20

// Bounded returns an HTTP transport that refuses an answer over the limit of 16 MiB.
func Bounded(next http.RoundTripper) http.RoundTripper {
	return httplimit.Transport{Next: next, Limit: maxAnswer}
}

// Server is a connection to an API server. Nothing in it changes once it is made, except the time that Clock has read.
type Server struct {
	Address  string               // URL, for error texts
	Client   kubernetes.Interface // reads and writes objects
	Metadata metadata.Interface   // reads objects of which only the metadata matters
	Clock    *Clock               // the API server's time, by its answers
}

// New makes a Server of a client-go configuration. It sends nothing. address is the server's URL for error texts.
func New(config *rest.Config, address string) (*Server, error) {
	clock := &Clock{}
	config = rest.CopyConfig(config)
	config.Wrap(Bounded)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return clockReader{next, clock} })
	connection, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("preparing the connection to %s: %w", address, err)
	}
	client, err := kubernetes.NewForConfigAndClient(config, connection)
	if err != nil {
		return nil, fmt.Errorf("preparing the connection to %s: %w", address, err)
	}
	meta, err := metadata.NewForConfigAndClient(config, connection)
	if err != nil {
		return nil, fmt.Errorf("preparing the connection to %s: %w", address, err)
	}
	return &Server{Address: address, Client: client, Metadata: meta, Clock: clock}, nil
}
