package kube

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	authenticationapi "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	authenticationv1 "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorizationv1 "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/rest"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/access"
	"github.com/certsync/certsync/reconcile/kube/api"
)

var _ reconcile.Authenticator = (*Cluster)(nil)

// anonymous is the name of a client of which the API server saw no certificate.
const anonymous = "system:anonymous"

// Authenticate logs in with a certificate and its key, and returns the name that the API server sees. Server, CA and proxy
// are those of certsync itself, but it sends none of certsync's own credentials.
//
// client-go may keep a transport for each certificate until the process ends. That is fine for the one canary of a run, and
// a leak for more.
func (c *Cluster) Authenticate(ctx context.Context, chain []byte, key reconcile.Secret) (reconcile.Identity, error) {
	return login{
		config: rest.AnonymousClientConfig(c.config), doing: "logging in with the new certificate", failed: c.server.Failed,
		hint: "check two causes. The CA that signs (kube-controller-manager --cluster-signing-cert-file) must be one that the API " +
			"server trusts for clients (kube-apiserver --client-ca-file). Or a proxy in front of the API server ends TLS and drops the " +
			"certificate: connect to the API server itself, or let the proxy pass TLS through",
	}.as(ctx, chain, key)
}

// MayAnything asks the authorizer what the holder of a certificate may do, as Anybody does. No binding may name the holder.
func (c *Cluster) MayAnything(ctx context.Context, chain []byte, key reconcile.Secret) (access.Decision, error) {
	config, client, err := login{config: rest.AnonymousClientConfig(c.config)}.connect(chain, key)
	if err != nil {
		return access.Decision{}, fmt.Errorf("asking what the new certificate may do: %w", err)
	}
	defer utilnet.CloseIdleConnectionsFor(client.Transport)
	authorization, err := authorizationv1.NewForConfigAndClient(config, client)
	if err != nil {
		return access.Decision{}, fmt.Errorf("asking what the new certificate may do: %w", err)
	}
	return decide(ctx, c.asSelf(authorization))
}

// login is an address at which to log in with a certificate.
type login struct {
	config *rest.Config // without credentials
	doing  string
	failed func(doing string, err error) error // returns the error for an answer, or for none
	hint   string                              // for a certificate that the server does not accept
}

// connect returns the address's configuration with a certificate, and a client for it.
func (l login) connect(chain []byte, key reconcile.Secret) (*rest.Config, *http.Client, error) {
	config := rest.CopyConfig(l.config)
	config.CertData, config.KeyData = chain, key.Reveal()
	config.Wrap(api.Bounded)
	client, err := rest.HTTPClientFor(config)
	return config, client, err
}

// as returns who the server takes the holder of a certificate for.
func (l login) as(ctx context.Context, chain []byte, key reconcile.Secret) (reconcile.Identity, error) {
	config, client, err := l.connect(chain, key)
	if err != nil {
		return reconcile.Identity{}, fmt.Errorf("%s: %w", l.doing, err)
	}
	defer utilnet.CloseIdleConnectionsFor(client.Transport)
	authn, err := authenticationv1.NewForConfigAndClient(config, client)
	if err != nil {
		return reconcile.Identity{}, fmt.Errorf("%s: %w", l.doing, err)
	}
	ctx, cancel := api.WithTimeout(ctx)
	defer cancel()
	review, err := authn.SelfSubjectReviews().Create(ctx, &authenticationapi.SelfSubjectReview{}, metav1.CreateOptions{})
	var who reconcile.Identity
	switch {
	case err == nil:
		who = identity(review)
	case apierrors.IsUnauthorized(err):
		return reconcile.Identity{}, reconcile.WithHint(
			fmt.Errorf("%s: %w, which the cluster's own signer issued: %w", l.doing, reconcile.ErrNotTrusted, api.Brief(err)), l.hint)
	case apierrors.IsForbidden(err) && forbiddenName(err) != "":
		who.Name = forbiddenName(err)
	default:
		return reconcile.Identity{}, l.failed(l.doing, err)
	}
	if who.Name == anonymous {
		return reconcile.Identity{}, reconcile.WithHint(
			fmt.Errorf("%s: %w: it saw no client certificate and answered %q", l.doing, reconcile.ErrNotTrusted, anonymous),
			"check whether a proxy in front of the API server ends TLS, or the API server runs without --client-ca-file")
	}
	return who, nil
}

// forbiddenName returns the user's name in a 403, or "". Its message is `… is forbidden: User "alice" cannot create …`.
func forbiddenName(err error) string {
	_, rest, ok := strings.Cut(err.Error(), "User ")
	if !ok {
		return ""
	}
	quoted, prefixErr := strconv.QuotedPrefix(rest)
	if prefixErr != nil || !strings.HasPrefix(rest[len(quoted):], " cannot ") {
		return ""
	}
	name, unquoteErr := strconv.Unquote(quoted)
	if unquoteErr != nil {
		return ""
	}
	return name
}
