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
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
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
	if said := loop.more(3); !says(said, "certsync: Vault is not available: certsync uses the cached credential from ") {
		t.Errorf("that Vault is gone is not said: %q", said)
	}
	watch.sees(p.makes(namespace, "without-vault"))
}

// TestCredentialInProgram: a program that runs on takes each new certificate, and its informers miss nothing. client-go closes
// all its connections then: a request that writes and has no answer yet fails, and can be repeated; one that reads is
// repeated by client-go. Here each expirationTimestamp has come as soon as it is there, so that nothing depends on a clock.
func TestCredentialInProgram(t *testing.T) {
	t.Parallel()
	f := newFixture(t, shared)
	namespace := f.namespace("work")
	f.write("users: [{name: alice@OWNER, namespaces: {work-OWNER: [edit]}}]")
	f.must(0, "apply", "--yes")
	p := f.plug("alice@" + f.owner)
	first := p.store("the first")
	client := p.program()
	added := p.informed(client, namespace)
	p.uses(client, first, 0)
	p.rotates(p.store("the second"), func(second string) { p.uses(client, second, 1) })
	f.kubectl("create", "configmap", "after-the-second", "-n", namespace)
	sees(t, added, "after-the-second")

	gate := p.newGate(namespace)
	maps := client.CoreV1().ConfigMaps(namespace)
	create := func(name string, dry ...string) error {
		_, err := maps.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{DryRun: dry})
		return err
	}
	for !gate.isThere() {
		check(t, create("probe", metav1.DryRunAll))
	}
	ended := make(chan error, 1)
	go func() { ended <- create("held") }()
	gate.wait(t, "held")
	p.rotates(p.store("the third"), func(string) {
		if _, err := maps.Get(t.Context(), "kube-root-ca.crt", metav1.GetOptions{}); err != nil {
			t.Errorf("a request that reads failed at the rotation: %v", err)
		}
	})
	if err := <-ended; !closedByRotation(err) {
		t.Errorf("a request without an answer, at the rotation: %v", err)
	}
	gate.open()
	// Nobody knows whether the API server has carried it out.
	if err := create("held"); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Errorf("when it is repeated: %v", err)
	}
	sees(t, added, "held")
}

// closedByRotation recognizes a request that got no answer of the API server, since client-go closed its connection. Of
// net/http's two texts, that of the goroutine comes which notices first.
func closedByRotation(err error) bool {
	return err != nil && !errors.As(err, new(apierrors.APIStatus)) &&
		(errors.Is(err, net.ErrClosed) || strings.Contains(err.Error(), "http2: client connection force closed"))
}

// program is a client whose client-go runs the plugin at every request, as if each expirationTimestamp had come.
func (p *plugged) program() kubernetes.Interface {
	p.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", p.kubeconfig)
	if err != nil {
		p.Fatal(err)
	}
	script := "#!/bin/sh\nout=$('" + config.ExecProvider.Command + "' \"$@\") || exit\n" +
		`printf '%s\n' "$out" | sed 's/"expirationTimestamp":"[^"]*"/"expirationTimestamp":"2020-01-01T00:00:00Z"/'` + "\n"
	config.ExecProvider.Command = filepath.Join(p.TempDir(), "plugin")
	if err := os.WriteFile(config.ExecProvider.Command, []byte(script), 0o700); err != nil {
		p.Fatal(err)
	}
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		p.Fatal(err)
	}
	return client
}

// rotates lets the plugin find what is in Vault by now, and sends something.
func (p *plugged) rotates(id string, send func(id string)) {
	p.Helper()
	p.age()
	send(id)
}

// sees waits until a ConfigMap of that name has been added.
func sees(t *testing.T, added <-chan string, want string) {
	t.Helper()
	for got, timeout := "", time.After(time.Minute); got != want; {
		select {
		case got = <-added:
		case <-timeout:
			t.Fatalf("the watch does not show %q", want)
		}
	}
}

// store puts a certificate with that group into Vault as the user's, and returns its credential-id. The plugin does not hold
// on to one with other groups.
func (p *plugged) store(group string) (id string) {
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
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: p.user, Organization: []string{group}},
		NotBefore: now.Add(-time.Minute), NotAfter: now.Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
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

// uses asks the API server who the client is until it comes with that certificate. So many requests may lose their connection
// to a rotation: of one program that sends one after the other, that is one at each.
func (p *plugged) uses(client kubernetes.Interface, id string, rotations int) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Context(), time.Minute)
	defer cancel()
	for asked, lost := 0, 0; ; asked++ {
		review, err := client.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
		if closedByRotation(err) && lost < rotations {
			lost++
			continue
		}
		if err != nil {
			p.Fatalf("after %d requests, %d of which lost their connection: %v", asked, lost, err)
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
	for n, want := range []string{"no answer came in 5s", "Vault is not available"} {
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

// byKubeconfigExec runs kubectl with the entry that certsync kubeconfig --exec writes, instead of the guide's.
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
