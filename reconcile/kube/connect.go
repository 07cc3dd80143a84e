package kube

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	Kubeconfig string // path, instead of $KUBECONFIG and ~/.kube/config
	Context    string // by default the kubeconfig's current-context
	UserAgent  string // by default "certsync"
	// LockNamespace is the namespace of the owners' Leases, by default kube-system.
	LockNamespace string
	// Shared says that other clusters are read beside this one, into the same memory.
	Shared bool
	// Warn is called once for each different warning of the API server, by one goroutine at a time. Others choose the text. nil
	// ignores warnings.
	Warn func(text string)
}

// Connect reads the configuration. It sends nothing to the cluster yet.
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
	// With client-go's own limit of 5 requests/s, a run for a company would take hours. The API server's flow control
	// answers 429 and says when to try again, and client-go obeys.
	config.QPS = -1
	config.ContentType = runtime.ContentTypeProtobuf
	config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	config.WarningHandler = newWarnings(o.Warn)
	config.Timeout = 0 // it would also end watches; requests have deadlines of their own
	c, err := newCluster(config, server, entry, cmp.Or(o.LockNamespace, metav1.NamespaceSystem))
	if err == nil {
		c.shared = o.Shared
	}
	return c, err
}

// kubeconfigEntry holds the settings of a kubeconfig that a rest.Config does not keep.
type kubeconfigEntry struct {
	name     string
	proxyURL string
	inPod    bool // there is no kubeconfig: certsync uses the pod's service account
}

// load follows kubectl's rules, with two exceptions. It does not copy a kubeconfig of Kubernetes 1.0 to its new place,
// since plan writes nothing. And a kubeconfig that a flag names is never replaced by the pod's service account.
func load(o Options) (*rest.Config, kubeconfigEntry, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.Kubeconfig
	rules.MigrationRules = nil
	rules.WarnIfAllMissing = false
	raw, err := rules.Load()
	if err != nil {
		return nil, kubeconfigEntry{}, reconcile.WithHint(fmt.Errorf("reading the kubeconfig: %w", err), "set --kubeconfig or KUBECONFIG to a file that kubectl can read")
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

// noContext returns the error for a missing context, with the contexts that exist.
func noContext(name string, raw *clientcmdapi.Config, rules *clientcmd.ClientConfigLoadingRules) error {
	names := slices.Sorted(maps.Keys(raw.Contexts))
	for i := range names {
		names[i] = fmt.Sprintf("%q", names[i])
	}
	choice := "the contexts are: " + strings.Join(names, ", ")
	files := rules.ExplicitPath
	if files == "" {
		files = strings.Join(rules.Precedence, string(os.PathListSeparator))
	}
	switch {
	case len(names) == 0 && name == "" && rules.ExplicitPath == "":
		return reconcile.WithHint(fmt.Errorf("no cluster is configured: no kubeconfig at %s, and not running in a pod", files),
			"set --kubeconfig or KUBECONFIG")
	case len(names) == 0 && name == "":
		return reconcile.WithHint(fmt.Errorf("the kubeconfig %s has no context", files), "set --kubeconfig to a file with the cluster's context")
	case len(names) == 0:
		return reconcile.WithHint(fmt.Errorf("context %q does not exist: the kubeconfig (%s) holds none", name, files),
			"set KUBECONFIG to the file that has this context; of several clusters, the inventory can name each one's context")
	case name == "":
		return reconcile.WithHint(fmt.Errorf("the kubeconfig %s has no current-context", files),
			"choose one with --context; "+choice)
	}
	return reconcile.WithHint(fmt.Errorf("context %q does not exist in the kubeconfig (%s)", name, files), choice)
}

// secureServer returns the API server's URL. It refuses a connection over which the server does not prove its identity:
// certsync logs in with users' keys over it, and writes its CA into their kubeconfigs.
func secureServer(config *rest.Config) (string, error) {
	u, _, err := rest.DefaultServerUrlFor(config)
	switch {
	case err != nil:
		return "", fmt.Errorf("reading the server's address: %w", err)
	case u.Scheme != "https":
		return "", reconcile.WithHint(fmt.Errorf("refusing to talk to %s without TLS", u.Redacted()),
			"connect to the API server itself, not through kubectl proxy: certificates work over TLS only")
	case u.User != nil:
		return "", reconcile.WithHint(fmt.Errorf("refusing a server's address that contains a user: %s", u.Redacted()),
			"put the credentials into the kubeconfig's user: the address goes into users' kubeconfigs")
	case config.Insecure:
		return "", reconcile.WithHint(fmt.Errorf("refusing insecure-skip-tls-verify for %s", u.Redacted()),
			"give the kubeconfig the cluster's CA (certificate-authority or certificate-authority-data)")
	}
	return u.String(), nil
}
