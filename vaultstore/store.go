// Package vaultstore keeps credentials, ledger and state in HashiCorp Vault, in a KV version 2 secrets engine:
//
//	<mount>/<prefix>/<owner>/users/<user>   the credential, for that user alone to read
//	<mount>/<prefix>/<owner>/ledger/<user>  the public record
//	<mount>/<prefix>/<owner>/state          what one owner's runs share
//
// The credential's fields are kubeconfig, tls.crt, tls.key and ca.crt, all PEM or YAML text. A record is a
// reconcile.Record, the state a reconcile.State.
//
// Store is where to begin. It reads the ledger, the state and the metadata of users/, and never the data of users/: to
// observe needs no right to read a key.
//
// Every data write is check-and-set. A write whose answer is lost is repeated, and may meet its own version. For the state, that
// counts as done if what stands there is what this run wrote. For a user it is reconcile.ErrRepeated: that step fails, and the next
// run sees what was written. KV version 2 deletes metadata without check-and-set, so a deletion first
// writes an empty version with it.
//
//	store.go                  Options, Open and the client
//	tree.go                   the paths of an owner's folder
//	observe.go, write.go      the interfaces of package reconcile: what a run reads, and each write
//	user.go                   what a user reads: ReadCredential
//	login.go, token.go        the methods of a login, and where a token comes from without one
//	session.go                tokens of a login: renewed, replaced, and revoked in the end
//	request.go                one request: its place among the others, and its answer
//	retry.go                  which failures are repeated, and for how long
//	explain.go, environment.go
//	                          what an error means, with its hint; Unavailable and Refused; VAULT_ variables and proxies
//	advice.go                 the advice for users whom Vault denies their credential
//	check.go, health.go       whether Vault, token and mount are as they should be: for Open, and for preflight
//	capabilities.go           what the token may not do of what a plan needs
//	policies.go               the policies and roles that manifests --vault prints
//	retention.go              a mount or key from which Vault deletes versions after a time
package vaultstore

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/httplimit"
)

var (
	_ reconcile.StoreReader   = (*Store)(nil)
	_ reconcile.StoreWriter   = (*Store)(nil)
	_ reconcile.StoreReviewer = (*Store)(nil)
)

// Options says which part of Vault is ours. Address, namespace, certificates, proxy and timeouts come from the
// environment, as with the vault CLI: VAULT_ADDR, VAULT_NAMESPACE, VAULT_CACERT and so on.
type Options struct {
	Owner       string           // required
	Mount       string           // default "secret"
	Prefix      string           // default "certsync"
	Concurrency int              // how many requests may be under way at once; default 50
	UserAgent   string           // default "certsync"
	Token       reconcile.Secret // default: VAULT_TOKEN, then the vault CLI's token helper, which reads ~/.vault-token
	Login       Login            // instead of any of these tokens
	Patience    time.Duration    // for a request with all its attempts, unless VAULT_CLIENT_TIMEOUT gives it more; default 2 minutes
}

const (
	defaultMount       = "secret"
	defaultPrefix      = "certsync"
	defaultConcurrency = 50
)

// maxAnswer is how many bytes of one answer are read, of which there may be as many at once as there are requests,
// each in memory twice while it is decoded. An
// entry has at most 1 MiB with integrated storage, and the names of 10,000 users have less.
const maxAnswer = 4 << 20

// Store is one owner's folder in Vault. It is safe for concurrent use.
type Store struct {
	client  *api.Client
	tree    tree
	limits  limits
	slots   chan struct{} // one for each request that may be under way
	address string        // for messages, without a password
	session *session      // nil with a token that is given
	// tokenLife is set while the Store is opened.
	tokenLife time.Duration
}

// Format implements fmt.Formatter: %q would otherwise print the client with its token.
func (s Store) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "Vault at %s, %s/%s", s.address, s.tree.mount, s.tree.folder)
}

// Open connects to Vault, logs in if Options.Login says how, and checks, without writing, that Vault answers, is
// unsealed and knows the token, and that the mount is a KV version 2 secrets engine. Errors carry a hint. Close gives the
// token up again.
func Open(ctx context.Context, o Options) (*Store, error) {
	return open(ctx, o, usualLimits)
}

func open(ctx context.Context, o Options, l limits) (*Store, error) {
	s, err := newStore(ctx, o, l)
	if err != nil {
		return nil, err
	}
	if s.session != nil {
		err = s.exchange(ctx, "")
	}
	if err == nil {
		err = s.check(ctx)
	}
	if err == nil {
		return s, nil
	}
	if left := s.Close(ctx); left != nil {
		err = fmt.Errorf("%w; and %w", err, left)
	}
	return nil, err
}

func newStore(ctx context.Context, o Options, l limits) (*Store, error) {
	t, err := newTree(o)
	if err != nil {
		return nil, err
	}
	login, err := o.Login.complete()
	if err != nil {
		return nil, err
	}
	if o.Concurrency <= 0 {
		o.Concurrency = defaultConcurrency
	}
	client, l, err := newClient(o, l)
	if err != nil {
		return nil, err
	}
	s := &Store{
		client: client, tree: t, limits: l,
		slots:   make(chan struct{}, o.Concurrency),
		address: addressOf(client),
	}
	if !login.given() {
		client.ClearToken() // of the environment: vault/api has looked there
		s.session = newSession(login, client)
		return s, nil
	}
	token, err := findToken(ctx, o.Token)
	if err != nil {
		return nil, err
	}
	client.SetToken(token)
	return s, nil
}

// newClient builds vault/api's client, and returns the limits as the environment has them.
func newClient(o Options, l limits) (*api.Client, limits, error) {
	config := api.DefaultConfig()
	if config.Error != nil {
		return nil, l, explainVariables(config.Error)
	}
	l = l.within(o.Patience).apply(config)
	l.patience = max(l.patience, l.answer)                     // who sets VAULT_CLIENT_TIMEOUT wants to wait that long
	transport := config.HttpClient.Transport.(*http.Transport) // api.DefaultConfig makes no other
	// By default GOMAXPROCS+1 connections are kept, and each further request would pay a TLS handshake.
	transport.MaxIdleConnsPerHost = o.Concurrency
	transport.MaxIdleConns = max(transport.MaxIdleConns, o.Concurrency)
	transport.OnProxyConnectResponse = checkProxy

	client, err := api.NewClient(config)
	if err != nil {
		return nil, l, reconcile.WithHint(fmt.Errorf("preparing to talk to Vault: %w", withoutAddress(err)),
			"check VAULT_ADDR and VAULT_HEADERS in the environment; VAULT_ADDR is a URL, such as https://vault.example.com:8200")
	}
	if address := client.Address(); strings.HasSuffix(strings.TrimRight(address, "/"), "/v1") {
		return nil, l, reconcile.WithHint(fmt.Errorf("preparing to talk to Vault: its address %s ends in /v1", withoutPassword(address)),
			"remove /v1 from VAULT_ADDR: certsync adds the path of the API")
	}
	// After NewClient, which wants a transport of net/http's own.
	config.HttpClient.Transport = wholeAnswer{next: httplimit.Transport{Next: transport, Limit: maxAnswer}, connections: transport}
	// VAULT_WRAP_TTL, in the environment for somebody else's use, would wrap every answer.
	client.SetWrappingLookupFunc(func(string, string) string { return "" })
	if o.UserAgent == "" {
		o.UserAgent = "certsync"
	}
	client.AddHeader("User-Agent", o.UserAgent)
	return client, l, nil
}

// addressOf is where a client finds Vault. Client.Address is the same http://localhost for every socket of a Vault Agent.
func addressOf(client *api.Client) string { return withoutPassword(client.CloneConfig().Address) }

func withoutPassword(address string) string {
	u, err := url.Parse(address)
	if err != nil || strings.Contains(u.Opaque, "@") { // me:password@host, without https://
		return "VAULT_ADDR"
	}
	return u.Redacted()
}
