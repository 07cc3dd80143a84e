package kube

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"

	"github.com/certsync/certsync/reconcile"
	"github.com/certsync/certsync/reconcile/kube/apitest"
	"github.com/certsync/certsync/reconcile/kube/lease"
)

const kubeconfigYAML = `apiVersion: v1
kind: Config
current-context: prod
contexts:
- {name: prod, context: {cluster: prod-eu, user: admin}}
- {name: proxied, context: {cluster: proxied, user: admin}}
- {name: blind, context: {cluster: blind, user: admin}}
- {name: plain, context: {cluster: plain, user: admin}}
- {name: dangling, context: {cluster: nowhere, user: admin}}
clusters:
- name: prod-eu
  cluster: {server: "https://k8s.example.com:6443", certificate-authority: ca.crt}
- name: proxied
  cluster:
    server: https://k8s.example.com/k8s/clusters/c-1
    certificate-authority-data: "CA-DATA"
    proxy-url: http://certsync:secret@proxy.example.com:3128
    tls-server-name: kubernetes
- {name: blind, cluster: {server: "https://k8s.example.com:6443", insecure-skip-tls-verify: true}}
- {name: plain, cluster: {server: "http://127.0.0.1:8001"}}
users:
- {name: admin, user: {token: abc}}
`

// home sets the environment of a user who has only these files, and returns their folder.
func home(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("KUBECONFIG", filepath.Join(dir, "config"))
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	ca := base64.StdEncoding.EncodeToString(apitest.CA)
	for name, content := range files {
		content = strings.ReplaceAll(content, "CA-DATA", ca)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestConnectFollowsTheKubeconfig(t *testing.T) {
	cases := map[string]struct {
		context string
		want    reconcile.Endpoint
	}{
		"current context, CA in a file": {"", reconcile.Endpoint{
			Name: "prod-eu", Server: "https://k8s.example.com:6443", CA: apitest.CA}},
		"a context by name, CA inline; the proxy's password stays here": {"proxied", reconcile.Endpoint{
			Name: "proxied", Server: "https://k8s.example.com/k8s/clusters/c-1", CA: apitest.CA,
			ProxyURL: "http://proxy.example.com:3128", TLSServerName: "kubernetes"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			home(t, map[string]string{"config": kubeconfigYAML, "ca.crt": string(apitest.CA)})
			c, err := Connect(Options{Context: tc.context})
			if err != nil {
				t.Fatal(err)
			}
			got, err := c.Endpoint()
			if diff := cmp.Diff(tc.want, got); diff != "" || err != nil {
				t.Errorf("endpoint: error %v, diff %s", err, diff)
			}
			if !reflect.DeepEqual(c.leases, lease.New(c.server, "kube-system")) {
				t.Errorf("the Leases are %+v", c.leases)
			}
			if c.config.QPS != -1 || c.config.Timeout != 0 || c.config.UserAgent != "certsync" {
				t.Errorf("config is %+v", c.config)
			}
		})
	}
}

func TestConnectSaysWhatIsMissing(t *testing.T) {
	cases := map[string]struct {
		files      map[string]string
		options    Options
		err, hint  string
		kubeconfig string // $KUBECONFIG, if not the folder's config
	}{
		"nothing configured": {
			err: "no cluster is configured: no kubeconfig at DIR/config, and not running in a pod", hint: "--kubeconfig"},
		"the file that the flag names does not exist": {
			options: Options{Kubeconfig: "DIR/absent"}, err: "reading the kubeconfig: stat DIR/absent: no such file", hint: "set --kubeconfig or KUBECONFIG"},
		"a context that does not exist": {
			files: map[string]string{"config": kubeconfigYAML}, options: Options{Context: "porduction"},
			err:  `context "porduction" does not exist in the kubeconfig (DIR/config)`,
			hint: `the contexts are: "blind", "dangling", "plain", "prod", "proxied"`},
		"no current-context": {
			files: map[string]string{"config": strings.Replace(kubeconfigYAML, "current-context: prod", "", 1)},
			err:   "the kubeconfig DIR/config has no current-context", hint: `choose one with --context; the contexts are: "blind"`},
		"an empty kubeconfig": {
			files: map[string]string{"config": "", "mine": "apiVersion: v1\nkind: Config\n"}, options: Options{Kubeconfig: "DIR/mine"},
			err: "the kubeconfig DIR/mine has no context", hint: "set --kubeconfig"},
		"a context without any kubeconfig": {
			options: Options{Context: "prod"}, err: `context "prod" does not exist: the kubeconfig (DIR/config) holds none`, hint: "set KUBECONFIG to the file that has this context; of several clusters, the inventory can name each one's context"},
		"a kubeconfig that is no YAML": {
			files: map[string]string{"config": "\tno"}, err: "reading the kubeconfig: error loading config file \"DIR/config\"", hint: "set --kubeconfig or KUBECONFIG to a file that kubectl can read"},
		"a context whose cluster does not exist": {
			files: map[string]string{"config": kubeconfigYAML}, options: Options{Context: "dangling"},
			err: `reading context "dangling" of the kubeconfig: `},
		"insecure-skip-tls-verify": {
			files: map[string]string{"config": kubeconfigYAML}, options: Options{Context: "blind"},
			err: "refusing insecure-skip-tls-verify for https://k8s.example.com:6443", hint: "certificate-authority"},
		"plain http": {
			files: map[string]string{"config": kubeconfigYAML}, options: Options{Context: "plain"},
			err: "refusing to talk to http://127.0.0.1:8001 without TLS", hint: "not through kubectl proxy"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			dir := home(t, tc.files)
			tc.options.Kubeconfig = strings.ReplaceAll(tc.options.Kubeconfig, "DIR", dir)
			_, err := Connect(tc.options)
			if err == nil || !strings.Contains(err.Error(), strings.ReplaceAll(tc.err, "DIR", dir)) {
				t.Errorf("error is %v, want %s", err, tc.err)
			}
			if hint := reconcile.Hint(err); !strings.Contains(hint, tc.hint) || tc.hint == "" && hint != "" {
				t.Errorf("hint is %q, want %s", hint, tc.hint)
			}
		})
	}
}

// A pod without KUBECONFIG uses its service account, but never in place of a context or file that was named.
func TestConnectInAPod(t *testing.T) {
	_, noToken := os.Stat("/var/run/secrets/kubernetes.io/serviceaccount/token") // nil where the test itself runs in a pod
	dir := home(t, nil)
	t.Setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
	t.Setenv("KUBERNETES_SERVICE_PORT", "443")
	if _, err := Connect(Options{}); (err == nil) != (noToken == nil) || err != nil && !strings.Contains(err.Error(), "reading the pod's service account: ") {
		t.Errorf("error is %v", err)
	}
	if _, err := Connect(Options{Context: "prod"}); err == nil || !strings.Contains(err.Error(), `context "prod"`) {
		t.Errorf("error is %v", err)
	}
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Connect(Options{Kubeconfig: empty}); err == nil || !strings.Contains(err.Error(), "has no context") {
		t.Errorf("error is %v", err)
	}
}

// The address that a pod has of the API server leads nobody there from outside.
func TestEndpointInAPod(t *testing.T) {
	config := &rest.Config{Host: "https://10.96.0.1:443", TLSClientConfig: rest.TLSClientConfig{CAData: apitest.CA}}
	c, err := newCluster(config, config.Host, kubeconfigEntry{inPod: true}, "kube-system")
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Endpoint()
	if diff := cmp.Diff(reconcile.Endpoint{CA: apitest.CA}, got); diff != "" || err != nil {
		t.Errorf("error %v, diff %s", err, diff)
	}
}

func TestConnectWithALockNamespace(t *testing.T) {
	home(t, map[string]string{"config": kubeconfigYAML, "ca.crt": string(apitest.CA)})
	c, err := Connect(Options{LockNamespace: "locks"})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(c.leases, lease.New(c.server, "locks")) {
		t.Errorf("the Leases are %+v", c.leases)
	}
}
