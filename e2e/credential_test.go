package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/certsync/certsync/e2e/harness"
)

// TestCredentialThroughRotations: one kubectl after the other, and a watch that goes on, notice nothing of two rotations and
// of a Vault that is not there any more.
func TestCredentialThroughRotations(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	namespace := f.namespace("work")
	inventory := func(algorithm string) {
		f.write("defaults: {keyAlgorithm: " + algorithm + "}\nusers: [{name: alice@OWNER, namespaces: {work-OWNER: [edit]}}]")
		f.must(0, "apply", "--yes")
	}
	inventory("ECDSA-P256")
	p := f.plug("alice@" + f.owner)
	watch := p.follow("get", "configmaps", "-n", namespace, "--watch", "-o", "name")
	watch.sees("configmap/kube-root-ca.crt")
	loop := p.keepGetting("get", "configmaps", "-n", namespace, "-o", "name")
	seen := map[any]bool{}
	for _, algorithm := range []string{"ECDSA-P384", "RSA-2048"} {
		loop.more(1)
		if p.cached()["certificate"] != p.stored() {
			t.Error("another certificate is used than is in Vault")
		}
		seen[p.stored()] = true
		inventory(algorithm)
		p.age()
		watch.sees(p.makes(namespace, "with-"+strings.ToLower(algorithm)))
	}
	if loop.more(1); p.cached()["certificate"] != p.stored() || seen[p.stored()] || len(seen) != 2 {
		t.Errorf("%d certificates, and the third is not used", len(seen))
	}
	check(t, p.vault.Stop())
	if said := loop.more(2); says(said, "certsync") {
		t.Errorf("Vault is not asked: %q", said)
	}
	p.age()
	// The first waits a moment for Vault, those after it do not ask.
	if said := loop.more(3); !says(said, "certsync: Vault could not be reached: the credential that it gave at ") {
		t.Errorf("that Vault is gone is not said: %q", said)
	}
	watch.sees(p.makes(namespace, "without-vault"))
}

// TestCredentialInProgram: a program that runs on asks the plugin at each expirationTimestamp, takes the new certificate, and
// misses nothing. The least that Kubernetes gives would be asked about after 8 minutes; so these certificates, which end
// earlier, are signed here.
func TestCredentialInProgram(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	namespace := f.namespace("work")
	f.write("users: [{name: alice@OWNER, namespaces: {work-OWNER: [view]}}]")
	f.must(0, "apply", "--yes")
	p := f.plug("alice@" + f.owner)
	// Two minutes before its end the plugin looks for another one.
	const early = 2 * time.Minute
	first := p.store(early + 10*time.Second)
	config, err := clientcmd.BuildConfigFromFlags("", p.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	added := p.informed(client, namespace)
	p.uses(client, first)
	second := p.store(early + 25*time.Second)
	p.uses(client, second)
	f.kubectl("create", "configmap", "after-the-second", "-n", namespace)
	third := p.store(time.Hour)
	p.uses(client, third)
	f.kubectl("create", "configmap", "after-the-third", "-n", namespace)
	for _, want := range []string{"after-the-second", "after-the-third"} {
		for got, timeout := "", time.After(time.Minute); got != want; {
			select {
			case got = <-added:
			case <-timeout:
				t.Fatalf("the watch does not show %q", want)
			}
		}
	}
}

// store puts a certificate that ends so soon into Vault as the user's, and returns its credential-id.
func (p *plugged) store(lives time.Duration) (id string) {
	p.Helper()
	ca, err := tls.LoadX509KeyPair(filepath.Join(p.servers.Dir, "pki", "cluster-ca.crt"), filepath.Join(p.servers.Dir, "pki", "cluster-ca.key"))
	if err != nil {
		p.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.Fatal(err)
	}
	now := time.Now()
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: p.user},
		NotBefore: now.Add(-time.Minute), NotAfter: now.Add(lives), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca.Leaf, key.Public(), ca.PrivateKey)
	if err != nil {
		p.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		p.Fatal(err)
	}
	p.vaultWrite("data/certsync/OWNER/users/"+p.user, map[string]any{"data": map[string]any{
		"kubeconfig": "not used",
		"tls.crt":    string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		"tls.key":    string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
	}})
	sum := sha256.Sum256(der)
	return "X509SHA256=" + hex.EncodeToString(sum[:])
}

// uses asks the API server who the client is until it comes with that certificate. No request may fail.
func (p *plugged) uses(client kubernetes.Interface, id string) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Context(), time.Minute)
	defer cancel()
	for asked := 0; ; asked++ {
		review, err := client.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
		if err != nil {
			p.Fatalf("after %d requests: %v", asked, err)
		}
		is := review.Status.UserInfo.Extra["authentication.kubernetes.io/credential-id"]
		if len(is) == 1 && is[0] == id && review.Status.UserInfo.Username == p.user {
			return
		}
	}
}

// informed watches ConfigMaps as controllers do, and returns the names of new ones.
func (p *plugged) informed(client kubernetes.Interface, namespace string) <-chan string {
	added := make(chan string, 100)
	_, informer := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: cache.NewListWatchFromClient(client.CoreV1().RESTClient(), "configmaps", namespace, fields.Everything()),
		ObjectType:    &corev1.ConfigMap{},
		Handler:       cache.ResourceEventHandlerFuncs{AddFunc: func(obj any) { added <- obj.(*corev1.ConfigMap).Name }},
	})
	ctx, cancel := context.WithCancel(p.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); informer.Run(ctx.Done()) }()
	p.Cleanup(func() { cancel(); <-ended })
	return added
}

// TestCredentialOfLeaver: a Vault that does not answer holds kubectl up for some seconds, and the next one not at all; one that
// says that there is no credential any more ends it, and nothing is left on the machine.
func TestCredentialOfLeaver(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	f.write("users: [{name: alice@OWNER, clusterRoles: [view]}, {name: bob@OWNER}]")
	f.must(0, "apply", "--yes")
	p := f.plug("alice@" + f.owner)
	pods := []string{"get", "pods", "-A"}
	if _, stderr, err := p.get(pods...); err != nil || stderr != "" && !strings.HasPrefix(stderr, "No resources found") {
		t.Errorf("%s, %v", stderr, err)
	}
	p.byKubeconfigExec(pods...)
	var asked atomic.Int32
	goOn := make(chan struct{})
	p.vault.Intercept(func(harness.Call) harness.Fault { asked.Add(1); <-goOn; return harness.Fault{} })
	p.age()
	for n, want := range []string{"nothing came in 5s", "Vault could not be reached"} {
		if _, stderr, err := p.get(pods...); err != nil || !strings.Contains(stderr, want) || asked.Load() != 1 {
			t.Errorf("%d: %s, %v; asked %d times", n, stderr, err, asked.Load())
		}
	}
	close(goOn)
	p.vault.Intercept(nil)
	f.write("users: [{name: bob@OWNER}]")
	f.must(0, "apply", "--yes", "--max-removals=1")
	p.age()
	_, stderr, err := p.get(pods...)
	if err == nil || !strings.Contains(stderr, "there is no credential\nhint: ") || p.kept() != "" {
		t.Errorf("%v: %s; left: %q", err, stderr, p.kept())
	}
	// With the same token nobody else's is to be had.
	cmd := f.command(t.Context(), "credential", "--owner="+f.owner, "--user=bob@"+f.owner)
	cmd.Env = append(cmd.Env, p.environment()...)
	if r := f.wait(cmd); r.code != 1 || r.stdout != "" || !strings.Contains(r.stderr, "403 Forbidden") || p.kept() != "" {
		t.Errorf("exit %d: %s", r.code, r.stderr)
	}
}

// byKubeconfigExec runs kubectl with the entry that certsync kubeconfig --exec writes, instead of the README's.
func (p *plugged) byKubeconfigExec(args ...string) {
	p.Helper()
	made := p.command(p.Context(), "kubeconfig", "--owner="+p.owner, "--user="+p.user, "--exec")
	made.Env = append(made.Env, p.environment()...)
	r := p.wait(made)
	path := filepath.Join(p.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, []byte(r.stdout), 0o600); err != nil || r.code != 0 {
		p.Fatalf("exit %d, %v\n%s", r.code, err, r.stderr)
	}
	cmd := p.servers.KubectlCommand(p.Context(), path, args...)
	cmd.Env = append(cmd.Env, p.environment()...)
	if out, err := cmd.CombinedOutput(); err != nil {
		p.Errorf("%v: %s", err, out)
	}
}
