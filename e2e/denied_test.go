package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/certsync/certsync/e2e/harness"
)

// policyFor has an admission policy of the test's own look at RoleBindings in the test's namespaces that begin with prefix.
// more is the rest of the policy's spec, and action is what the binding does.
func (f *fixture) policyFor(prefix, operations, action, more string) (name string) {
	f.Helper()
	f.apply(`{apiVersion: v1, kind: List, items: [
{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicy, metadata: {name: ` + prefix + `-OWNER}, spec: {
  matchConstraints: {resourceRules: [{apiGroups: [rbac.authorization.k8s.io], apiVersions: [v1], resources: [rolebindings], operations: ` + operations + `}]},
  matchConditions: [{name: here, expression: "request.namespace.startsWith('` + prefix + `') && request.namespace.endsWith('-OWNER')"}], ` + more + `}},
{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicyBinding, metadata: {name: ` + prefix + `-OWNER}, spec: {policyName: ` + prefix + `-OWNER, validationActions: [` + action + `]}}]}`)
	return prefix + "-" + f.owner
}

// tried makes a RoleBinding without keeping it, and returns what the API server says to that.
func (f *fixture) tried(namespace string) string {
	f.Helper()
	_, err := f.tryKubectl(f.kubeconfig, "create", "rolebinding", "tried", "--clusterrole=view", "--user=eve", "--dry-run=server", "-n", namespace+"-"+f.owner)
	return errorText(err)
}

// TestDenialsOnServers: what a policy, a webhook, a quota or RBAC refuses fails for itself, with a hint that fits its author. All
// others are served. A policy that only warns is heard once, on stderr.
func TestDenialsOnServers(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	o := f.owner
	for _, name := range []string{"denies", "webhook", "quota", "uncounted", "warns"} {
		f.namespace(name)
	}
	f.policyFor("denies", "[CREATE]", "Deny", `validations: [{expression: "false", reason: Forbidden, message: no bindings here}]`)
	f.policyFor("warns", "[CREATE]", "Warn", `validations: [{expression: "false", message: bindings to people end in May}]`)
	f.apply(`{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration, metadata: {name: webhook-OWNER}, webhooks: [
{name: down.example.com, sideEffects: None, admissionReviewVersions: [v1], failurePolicy: Fail, clientConfig: {url: "https://127.0.0.1:1/"},
 namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: webhook-OWNER}},
 rules: [{apiGroups: [rbac.authorization.k8s.io], apiVersions: [v1], resources: [rolebindings], operations: [CREATE]}]}]}`)
	for _, namespace := range []string{"quota", "uncounted"} {
		f.apply(`{apiVersion: v1, kind: ResourceQuota, metadata: {name: objects, namespace: ` + namespace + `-OWNER}, spec: {hard: {count/rolebindings.rbac.authorization.k8s.io: "0"}}}`)
	}
	// The harness runs no controller that counts.
	const none = `{"count/rolebindings.rbac.authorization.k8s.io":"0"}`
	for namespace, status := range map[string]string{"quota": `{"hard":` + none + `,"used":` + none + `}`, "uncounted": `{"hard":` + none + `}`} {
		f.kubectl("patch", "resourcequota", "objects", "-n", namespace+"-"+o, "--subresource=status", "--type=merge", `--patch={"status":`+status+`}`)
	}
	for namespace, says := range map[string]string{"denies": "no bindings here", "webhook": "failed calling webhook", "quota": "exceeded quota", "uncounted": "status unknown for quota"} {
		eventually(t, takesEffect, says, func() bool { return strings.Contains(f.tried(namespace), says) })
	}
	f.write(`
users:
  - {name: alice@OWNER, namespaces: {denies-OWNER: [view], webhook-OWNER: [view], quota-OWNER: [view], uncounted-OWNER: [view], warns-OWNER: [view]}}
  - {name: bob@OWNER, clusterRoles: [view]}
`)
	r := f.must(1, "apply", "--yes")
	for _, want := range []string{
		"ValidatingAdmissionPolicy 'denies-OWNER' with binding 'denies-OWNER' denied request: no bindings here",
		`hint: ValidatingAdmissionPolicy "denies-OWNER" denies it: let it allow`,
		`hint: admission webhook "down.example.com" does not answer`,
		`hint: ResourceQuota "objects" does not allow it: raise its limit`,
		`hint: the objects under ResourceQuota "objects" are not counted yet`,
		"4 not done",
	} {
		if want = strings.ReplaceAll(want, "OWNER", o); !strings.Contains(r.stdout, want) {
			t.Errorf("%q is not in: %s", want, r.stdout)
		}
	}
	if strings.Contains(r.stdout, "grant it") {
		t.Errorf("a right is advised: %s", r.stdout)
	}
	const warning = "certsync: the API server warns: Validation failed for ValidatingAdmissionPolicy"
	if strings.Count(r.stderr, warning) != 1 || !strings.Contains(r.stderr, "bindings to people end in May") || strings.Contains(r.stdout, "end in May") {
		t.Errorf("the warning: %s", r.stderr)
	}
	f.allowed(f.userKubeconfig("bob@"+o), "get", "pods", "-A")
	f.allowed(f.userKubeconfig("alice@"+o), "get", "pods", "-n", "warns-"+o)

	f.kubectl("delete", "validatingadmissionpolicybinding", "denies-"+o)
	f.kubectl("delete", "validatingwebhookconfiguration", "webhook-"+o)
	for _, namespace := range []string{"quota", "uncounted"} {
		f.kubectl("delete", "resourcequota", "objects", "-n", namespace+"-"+o)
	}
	for _, namespace := range []string{"denies", "webhook", "quota", "uncounted"} {
		eventually(t, takesEffect, "bindings in "+namespace, func() bool { return f.tried(namespace) == "" })
	}
	f.must(0, "apply", "--yes")
	f.must(0, "plan", "--detailed-exitcode")
}

// TestLeaseThatTheJobMustNotCreate: the deployed account misses its Lease, and is to have it back by the manifests.
func TestLeaseThatTheJobMustNotCreate(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	f.write("cluster: CLUSTER\nusers: [{name: alice@OWNER, clusterRoles: [view]}]")
	namespace := f.deploy()
	f.become(namespace, applyAccount, f.servers.KubeURL)
	f.kubectl("delete", "lease", "-n", "kube-system", "certsync-"+f.owner)
	r := f.must(1, "apply", "--yes")
	if !strings.Contains(r.stderr, "may not: create leases") || !strings.Contains(r.stderr, "hint: the lock's Lease does not exist, and this identity may not create it: apply the manifests' Lease (certsync manifests)") {
		t.Error(r.stderr)
	}
	if c := f.preflight(1)["rights to lock"]; !strings.Contains(c.Hint, "apply the manifests' Lease") {
		t.Errorf("preflight: %+v", c)
	}
	env := f.env
	f.env = nil
	f.deployKubernetes(namespace)
	f.env = env
	f.must(0, "apply", "--yes")
}

// throughTLS has certsync go through something that ends TLS: no client certificate arrives, and a token does.
func (f *fixture) throughTLS(user *clientcmdapi.AuthInfo) {
	f.Helper()
	front, ca := f.endsTLS()
	config := clientcmdapi.NewConfig()
	config.Clusters["e2e"] = &clientcmdapi.Cluster{Server: front, CertificateAuthorityData: ca}
	config.AuthInfos["e2e"] = user
	config.Contexts["e2e"] = &clientcmdapi.Context{Cluster: "e2e", AuthInfo: "e2e"}
	config.CurrentContext = "e2e"
	path := filepath.Join(f.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		f.Fatal(err)
	}
	f.env = []string{"KUBECONFIG=" + path}
}

// endsTLS starts a balancer that ends TLS in front of the API server, and returns its address and its CA.
func (f *fixture) endsTLS() (address string, ca []byte) {
	f.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(f.servers.CACert)
	server, err := url.Parse(f.servers.KubeURL)
	if err != nil {
		f.Fatal(err)
	}
	front := httptest.NewTLSServer(&httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(server) },
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}},
		FlushInterval: -1,
	})
	f.Cleanup(func() { front.CloseClientConnections(); front.Close() })
	return front.URL, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: front.Certificate().Raw})
}

// TestTLSThatEndsInFront: with anonymous access off, a certificate that does not arrive is a 401, as one of a CA that nobody
// trusts is. What certsync says names both causes, for the new certificate as for its own.
func TestTLSThatEndsInFront(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		anonymous string
		says      []string
	}{
		"anonymous access is off": {"false", []string{"--client-ca-file", "Or a proxy in front of the API server ends TLS"}},
		"anonymous access is on":  {"true", []string{"it saw no client certificate", "a proxy in front of the API server ends TLS"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			servers := shared
			if tt.anonymous == "false" {
				servers = ownServers(t, harness.Options{APIServerArgs: []string{"--anonymous-auth=false"}})
			}
			f := newFixture(t, servers)
			namespace := f.namespace("runner")
			f.serviceAccount(namespace, "bot")
			f.kubectl("create", "clusterrolebinding", "bot-"+f.owner, "--clusterrole=cluster-admin", "--serviceaccount="+namespace+":bot")
			f.write("cluster: CLUSTER\nusers: [{name: alice@OWNER, clusterRoles: [view]}]")
			f.throughTLS(&clientcmdapi.AuthInfo{Token: f.serviceAccountToken(namespace, "bot")})
			r := f.must(1, "apply", "--yes")
			for _, want := range append(tt.says, "logging in with the new certificate: the API server does not trust the new certificate") {
				if !strings.Contains(r.stdout, want) {
					t.Errorf("%q is not in: %s", want, r.stdout)
				}
			}
			if f.kv("users/alice@"+f.owner) != nil {
				t.Error("a credential was stored that nobody can log in with")
			}

			own, err := clientcmd.LoadFromFile(f.kubeconfig)
			if err != nil {
				t.Fatal(err)
			}
			for _, user := range own.AuthInfos {
				f.throughTLS(user)
			}
			if r := f.must(1, "plan"); !strings.Contains(r.stderr, "A proxy or load balancer that ends TLS drops the client certificate") {
				t.Errorf("its own certificate: %s", r.stderr)
			}
		})
	}
}
