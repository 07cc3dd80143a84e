package e2e

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/vault/api"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	bareUsersEnv  = "CERTSYNC_BARE_USERS"
	bareReadsEnv  = "CERTSYNC_BARE_READS"
	bareOwnersEnv = "CERTSYNC_BARE_OWNERS" // with commas between them
	ownerLabel    = "certsync.dev/owner"
	bareInFlight  = 50
	bareClusters  = 4 // at once, as by default in certsync
)

// The yardsticks are processes of their own, as certsync is: this test binary, started again with bareUsersEnv or
// bareReadsEnv.
func init() {
	do, text := (*bareProgram).user, os.Getenv(bareUsersEnv)
	if text == "" {
		do, text = (*bareProgram).read, os.Getenv(bareReadsEnv)
	}
	if text == "" {
		return
	}
	if err := runBare(context.Background(), text, do); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// bareProgram sends what it takes to give users access and nothing else: it looks at nothing before, checks no answer
// but for errors, and writes without preconditions.
type bareProgram struct {
	kube   *kubernetes.Clientset
	config *rest.Config
	vault  *api.KVv2

	watching sync.Once
	mu       sync.Mutex
	issued   map[string]chan []byte // by the name of the request
}

// bareUser is a user of an owner.
type bareUser struct{ owner, name string }

func (u bareUser) folder() string { return "certsync/" + u.owner }

// runBare does something for a number of users of each owner. With several owners, it does so for bareClusters at once.
func runBare(ctx context.Context, number string, do func(*bareProgram, context.Context, bareUser) error) error {
	users, err := strconv.Atoi(number)
	if err != nil {
		return err
	}
	owners := strings.Split(os.Getenv(bareOwnersEnv), ",")
	inFlight := bareInFlight * min(bareClusters, len(owners))
	p, err := newBareProgram(inFlight)
	if err != nil {
		return err
	}
	next, failed := make(chan bareUser), make(chan error, users*len(owners))
	var group sync.WaitGroup
	for range inFlight {
		group.Go(func() {
			for u := range next {
				if err := do(p, ctx, u); err != nil {
					failed <- err
				}
			}
		})
	}
	for i := range users * len(owners) {
		next <- bareUser{owners[i/users], person(i % users)}
	}
	close(next)
	group.Wait()
	close(failed)
	return <-failed
}

func newBareProgram(inFlight int) (*bareProgram, error) {
	p := &bareProgram{issued: map[string]chan []byte{}}
	var err error
	if p.config, err = clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG")); err != nil {
		return nil, err
	}
	p.config.QPS = -1
	p.config.ContentType, p.config.AcceptContentTypes = runtime.ContentTypeProtobuf, runtime.ContentTypeProtobuf
	if p.kube, err = kubernetes.NewForConfig(p.config); err != nil {
		return nil, err
	}
	config := api.DefaultConfig()
	transport := config.HttpClient.Transport.(*http.Transport)
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = inFlight, inFlight
	client, err := api.NewClient(config)
	if err != nil {
		return nil, err
	}
	p.vault = client.KVv2("secret")
	return p, nil
}

// watch hands out certificates as they come. The API server closes watches as it likes.
func (p *bareProgram) watch(ctx context.Context) {
	version := ""
	for {
		w, err := p.kube.CertificatesV1().CertificateSigningRequests().Watch(ctx, metav1.ListOptions{ResourceVersion: version})
		if err != nil {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		for e := range w.ResultChan() {
			csr, ok := e.Object.(*certificatesv1.CertificateSigningRequest)
			if !ok {
				version = ""
				break
			}
			version = csr.ResourceVersion
			if len(csr.Status.Certificate) > 0 {
				p.settle(csr)
			}
		}
		w.Stop()
	}
}

func (p *bareProgram) settle(csr *certificatesv1.CertificateSigningRequest) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c := p.issued[csr.Name]; c != nil {
		c <- csr.Status.Certificate
		delete(p.issued, csr.Name)
	}
}

// read sends what a plan without changes takes for one user: two reads of Vault.
func (p *bareProgram) read(ctx context.Context, u bareUser) error {
	_, recordErr := p.vault.Get(ctx, u.folder()+"/ledger/"+u.name)
	_, credentialErr := p.vault.Get(ctx, u.folder()+"/users/"+u.name)
	return cmp.Or(recordErr, credentialErr)
}

// user sends what one user takes: three writes to Kubernetes and two to Vault.
func (p *bareProgram) user(ctx context.Context, u bareUser) error {
	p.watching.Do(func() { go p.watch(ctx) })
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	csr, chain, err := p.certificate(ctx, u.name, key)
	if err != nil {
		return err
	}
	if err := p.store(ctx, u, csr, chain, key); err != nil {
		return err
	}
	_, err = p.kube.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: u.owner + ":" + u.name, Labels: map[string]string{"app.kubernetes.io/managed-by": "certsync", ownerLabel: u.owner}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: u.name}},
	}, metav1.CreateOptions{})
	return err
}

func (p *bareProgram) certificate(ctx context.Context, name string, key *ecdsa.PrivateKey) (*certificatesv1.CertificateSigningRequest, []byte, error) {
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: name, Organization: []string{"developers"}},
	}, key)
	if err != nil {
		return nil, nil, err
	}
	seconds := int32((7 * 24 * time.Hour).Seconds())
	requests := p.kube.CertificatesV1().CertificateSigningRequests()
	csr, err := requests.Create(ctx, &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: "bare-" + strings.ToLower(rand.Text())},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request:           pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: request}),
			SignerName:        certificatesv1.KubeAPIServerClientSignerName,
			ExpirationSeconds: &seconds,
			Usages:            []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageClientAuth},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, nil, err
	}
	issued := make(chan []byte, 1)
	p.mu.Lock()
	p.issued[csr.Name] = issued
	p.mu.Unlock()
	csr.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{
		Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "Bare", Message: "for " + name,
	}}
	if _, err := requests.UpdateApproval(ctx, csr.Name, csr, metav1.UpdateOptions{}); err != nil {
		return nil, nil, err
	}
	select {
	case chain := <-issued:
		return csr, chain, nil
	case <-time.After(time.Minute):
		return nil, nil, errors.New("no certificate within a minute")
	}
}

// store writes entries of the size that certsync's have.
func (p *bareProgram) store(ctx context.Context, u bareUser, csr *certificatesv1.CertificateSigningRequest, chain []byte, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	encoded := base64.StdEncoding.EncodeToString
	kubeconfig := fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: e2e\nclusters: [{name: e2e, cluster: "+
		"{server: %q, certificate-authority-data: %s}}]\ncontexts: [{name: e2e, context: {cluster: e2e, user: %q}}]\n"+
		"users: [{name: %q, user: {client-certificate-data: %s, client-key-data: %s}}]\n",
		p.config.Host, encoded(p.config.CAData), u.name, u.name, encoded(chain), encoded(keyPEM))
	digest, now := fmt.Sprintf("%x", sha256.Sum256(chain)), time.Now().UTC().Format(time.RFC3339Nano)
	_, recordErr := p.vault.Put(ctx, u.folder()+"/ledger/"+u.name, map[string]any{
		"formatVersion": "1", "user": u.name, "state": "active", "since": now, "reason": "issued",
		"kubeconfig": map[string]any{"cluster": "e2e", "server": p.config.Host, "caSHA256": digest},
		"certificates": []any{map[string]any{
			"status": "current", "certificate": string(chain), "serial": digest[:32], "sha256": digest,
			"notBefore": now, "notAfter": now, "issuedAt": now, "groups": []string{"developers"},
			"keyAlgorithm": "ECDSA-P256", "credentialVersion": 1, "csr": map[string]any{"name": csr.Name, "uid": string(csr.UID)},
		}},
	})
	_, credentialErr := p.vault.Put(ctx, u.folder()+"/users/"+u.name, map[string]any{
		"kubeconfig": kubeconfig, "tls.crt": string(chain), "tls.key": string(keyPEM), "ca.crt": string(p.config.CAData),
	})
	return cmp.Or(recordErr, credentialErr)
}
