package kube

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	// Kubeconfigs that name an auth-provider work here as they do in kubectl.
	_ "k8s.io/client-go/plugin/pkg/client/auth"

	"github.com/certsync/certsync/reconcile"
)

// Options say which cluster to connect to. The zero value follows kubectl: $KUBECONFIG, else ~/.kube/config, else the
// service account of the pod that certsync runs in.
type Options struct {
	Kubeconfig string // path; $KUBECONFIG and ~/.kube/config are then not looked at
	Context    string // by default the kubeconfig's current-context
	UserAgent  string // by default "certsync"
	// LockNamespace is where the owners' Leases are, by default kube-system.
	LockNamespace string
}

// Connect reads the configuration; it sends nothing to the cluster yet.
func Connect(o Options) (*Cluster, error) {
	config, entry, err := load(o)
	if err != nil {
		return nil, err
	}
	server, err := secureServer(config)
	if err != nil {
		return nil, err
	}
	config.UserAgent = cmp.Or(o.UserAgent, "certsync")
	// client-go's own throttle of 5 requests/s would take a company hours; the API server's flow control says 429 and
	// when to come back, and client-go obeys.
	config.QPS = -1
	config.ContentType = runtime.ContentTypeProtobuf
	config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	config.WarningHandler = rest.NoWarnings{}
	config.Timeout = 0 // it would end watches too; requests have deadlines of their own
	cluster, err := newCluster(config, server, entry)
	if err != nil {
		return nil, err
	}
	cluster.lockNamespace = cmp.Or(o.LockNamespace, cluster.lockNamespace)
	return cluster, nil
}

// kubeconfigEntry is what a kubeconfig says of the cluster and a rest.Config does not keep.
type kubeconfigEntry struct {
	name     string
	proxyURL string
	inPod    bool // there was none: it is the pod's service account
}

// load follows kubectl's rules, but for two: it copies no kubeconfig of Kubernetes 1.0 to its new place, since plan
// writes nothing, and a kubeconfig named by flag never gives way to the pod's service account.
func load(o Options) (*rest.Config, kubeconfigEntry, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.Kubeconfig
	rules.MigrationRules = nil
	rules.WarnIfAllMissing = false
	raw, err := rules.Load()
	if err != nil {
		return nil, kubeconfigEntry{}, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	name := cmp.Or(o.Context, raw.CurrentContext)
	if name == "" && o.Kubeconfig == "" {
		config, err := rest.InClusterConfig()
		switch {
		case err == nil:
			return config, kubeconfigEntry{inPod: true}, nil
		case !errors.Is(err, rest.ErrNotInCluster):
			return nil, kubeconfigEntry{}, fmt.Errorf("reading the pod's service account: %w", err)
		}
	}
	context := raw.Contexts[name]
	if context == nil {
		return nil, kubeconfigEntry{}, noContext(name, raw, rules)
	}
	config, err := clientcmd.NewNonInteractiveClientConfig(*raw, name, nil, rules).ClientConfig()
	if err != nil {
		return nil, kubeconfigEntry{}, fmt.Errorf("reading context %q of the kubeconfig: %w", name, err)
	}
	entry := kubeconfigEntry{name: context.Cluster}
	if cluster := raw.Clusters[context.Cluster]; cluster != nil {
		entry.proxyURL = cluster.ProxyURL
	}
	return config, entry, nil
}

// noContext says why there is nothing to connect to, and what there would be.
func noContext(name string, raw *clientcmdapi.Config, rules *clientcmd.ClientConfigLoadingRules) error {
	names := slices.Sorted(maps.Keys(raw.Contexts))
	for i := range names {
		names[i] = fmt.Sprintf("%q", names[i])
	}
	choice := "the contexts there are: " + strings.Join(names, ", ")
	files := rules.ExplicitPath
	if files == "" {
		files = strings.Join(rules.Precedence, string(os.PathListSeparator))
	}
	switch {
	case len(names) == 0 && name == "" && rules.ExplicitPath == "":
		return reconcile.WithHint(fmt.Errorf("no cluster is configured: no kubeconfig at %s, and not running in a pod", files),
			"give --kubeconfig, or set KUBECONFIG")
	case len(names) == 0 && name == "":
		return fmt.Errorf("the kubeconfig %s holds no context", files)
	case len(names) == 0:
		return fmt.Errorf("context %q does not exist: the kubeconfig (%s) holds none", name, files)
	case name == "":
		return reconcile.WithHint(fmt.Errorf("the kubeconfig %s has no current-context", files),
			"choose one with --context; "+choice)
	}
	return reconcile.WithHint(fmt.Errorf("context %q does not exist in the kubeconfig (%s)", name, files), choice)
}

// secureServer returns the API server's URL and refuses to go where nobody proves to be that server: users' keys are
// tried over this connection, and its CA goes into their kubeconfigs.
func secureServer(config *rest.Config) (string, error) {
	u, _, err := rest.DefaultServerUrlFor(config)
	switch {
	case err != nil:
		return "", fmt.Errorf("reading the server's address: %w", err)
	case u.Scheme != "https":
		return "", reconcile.WithHint(fmt.Errorf("refusing to talk to %s without TLS", u.Redacted()),
			"certificates authenticate over TLS only; connect to the API server itself, not through kubectl proxy")
	case u.User != nil:
		return "", reconcile.WithHint(fmt.Errorf("refusing a server's address with a user in it: %s", u.Redacted()),
			"the address goes into users' kubeconfigs; put the credentials into the kubeconfig's user")
	case config.Insecure:
		return "", reconcile.WithHint(fmt.Errorf("refusing insecure-skip-tls-verify for %s", u.Redacted()),
			"give the kubeconfig the cluster's CA (certificate-authority or certificate-authority-data)")
	}
	return u.String(), nil
}
