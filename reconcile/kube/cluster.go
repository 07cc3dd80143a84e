package kube

import (
	"context"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	certificatesv1 "k8s.io/client-go/kubernetes/typed/certificates/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/certsync/certsync/inventory"
	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/httplimit"
)

// requestTimeout is the API server's own default limit for a request: a shorter one would give up on writes that the
// server still carries out. Watches have none.
const requestTimeout = time.Minute

// withTimeout is the context of one request.
func withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(quiet(ctx), requestTimeout)
}

// quiet keeps client-go from writing to stderr what it also returns as an error: the zero Logger says nothing.
func quiet(ctx context.Context) context.Context {
	return klog.NewContext(ctx, klog.Logger{})
}

// maxAnswer is how many bytes of one answer are read, or of one event of a watch. The largest object that etcd takes by
// default has 1.5 MiB, and six times as many as JSON, where a < becomes \u003c.
const maxAnswer = 16 << 20

// bounded keeps an API server from sending answers without an end.
func bounded(next http.RoundTripper) http.RoundTripper {
	return httplimit.Transport{Next: next, Limit: maxAnswer}
}

// Cluster is a connection to a cluster. Its own methods write nothing.
type Cluster struct {
	config *rest.Config
	server string
	entry  kubeconfigEntry
	client kubernetes.Interface
	meta   metadata.Interface // for what only the name counts of
	clock  *serverClock

	lockNamespace string
}

func newCluster(config *rest.Config, server string, entry kubeconfigEntry) (*Cluster, error) {
	clock := &serverClock{}
	config = rest.CopyConfig(config)
	config.Wrap(bounded)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return clockReader{next, clock} })
	connection, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("preparing the connection to %s: %w", server, err)
	}
	client, err := kubernetes.NewForConfigAndClient(config, connection)
	if err != nil {
		return nil, fmt.Errorf("preparing the connection to %s: %w", server, err)
	}
	meta, err := metadata.NewForConfigAndClient(config, connection)
	if err != nil {
		return nil, fmt.Errorf("preparing the connection to %s: %w", server, err)
	}
	return &Cluster{
		config: config, server: server, entry: entry, client: client, meta: meta, clock: clock,
		lockNamespace: metav1.NamespaceSystem,
	}, nil
}

// maxCAFile is more than the bundle of a whole system.
const maxCAFile = 1 << 20

// csrs is the client for CertificateSigningRequests.
func (c *Cluster) csrs() certificatesv1.CertificateSigningRequestInterface {
	return c.client.CertificatesV1().CertificateSigningRequests()
}

// Endpoint is how certsync itself reaches the cluster, as far as users can reach it so too: the address that a pod has of
// the API server leads nobody there from outside. The CA is read anew each time: the file of a pod's service account
// changes with the cluster's CA.
func (c *Cluster) Endpoint() (reconcile.Endpoint, error) {
	ca := c.config.CAData
	if len(ca) == 0 && c.config.CAFile != "" {
		var err error
		if ca, err = inventory.ReadRegular(c.config.CAFile, maxCAFile); err != nil {
			return reconcile.Endpoint{}, fmt.Errorf("reading the cluster's CA: %w", err)
		}
	}
	server := c.server
	if c.entry.inPod {
		server = ""
	}
	return reconcile.Endpoint{
		Name:          c.entry.name,
		Server:        server,
		CA:            certificates(ca),
		ProxyURL:      withoutUser(c.entry.proxyURL),
		TLSServerName: c.config.ServerName,
	}, nil
}

// certificates keeps the certificates of a PEM file, each in the one form that there is: the CA's file may hold text, or
// a key, that is not meant for users, and another line break at its end must not look like another CA.
func certificates(data []byte) []byte {
	var bundle []byte
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			return bundle
		}
		if block.Type == "CERTIFICATE" {
			bundle = append(bundle, pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes})...)
		}
		data = rest
	}
}

// withoutUser takes the password out of a proxy's URL: it is certsync's, and endpoints go into users' kubeconfigs.
func withoutUser(proxy string) string {
	u, err := url.Parse(proxy)
	if err != nil {
		return ""
	}
	u.User = nil
	return u.String()
}
