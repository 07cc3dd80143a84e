package fake

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// newFront starts servers with one new world.
func newFront(t *testing.T) (*World, *Front) {
	t.Helper()
	s, err := Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	a, err := NewAuthority("fake-signer")
	if err != nil {
		t.Fatal(err)
	}
	w := NewWorld(a)
	f := s.Open(w)
	t.Cleanup(f.Close)
	return w, f
}

// client connects as "certsync", in JSON or protobuf.
func client(t *testing.T, f *Front, contentType string) (*kubernetes.Clientset, *rest.Config) {
	t.Helper()
	config, err := clientcmd.RESTConfigFromKubeConfig(f.Kubeconfig("certsync"))
	if err != nil {
		t.Fatal(err)
	}
	config.ContentType, config.AcceptContentTypes = contentType, contentType
	c, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return c, config
}

// within bounds a test that waits for a server.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// formats has each test run in both of the API server's formats.
func formats(t *testing.T, test func(t *testing.T, contentType string)) {
	for _, contentType := range []string{runtime.ContentTypeJSON, runtime.ContentTypeProtobuf} {
		t.Run(contentType, func(t *testing.T) { test(t, contentType) })
	}
}

func newBinding(name, role string) *rbacv1.ClusterRoleBinding {
	return &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"team": "a"}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{Kind: "User", APIGroup: rbacv1.GroupName, Name: "alice"}},
	}
}

// newRequest returns a CertificateSigningRequest and the key that it is for, PEM.
func newRequest(t *testing.T, name string, groups ...string) (*certificatesv1.CertificateSigningRequest, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: name, Organization: groups}}, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	seconds := int32(3600)
	return &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "certsync-"},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request:    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}),
			SignerName: certificatesv1.KubeAPIServerClientSignerName, Username: "somebody-else", ExpirationSeconds: &seconds,
			Usages: []certificatesv1.KeyUsage{certificatesv1.UsageClientAuth},
		},
		Status: certificatesv1.CertificateSigningRequestStatus{Certificate: []byte("planted")},
	}, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
}

func approved(c *certificatesv1.CertificateSigningRequest) *certificatesv1.CertificateSigningRequest {
	c = c.DeepCopy()
	c.Status.Conditions = append(c.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
		Type: certificatesv1.CertificateApproved, Status: "True", Reason: "Test"})
	return c
}

// vault sends one request to the world's Vault.
func vault(t *testing.T, f *Front, method, path, body string) (int, string) {
	t.Helper()
	status, text, err := tryVault(within(t), f, method, path, body)
	if err != nil {
		t.Fatal(err)
	}
	return status, text
}

func tryVault(ctx context.Context, f *Front, method, path, body string) (int, string, error) {
	r, err := http.NewRequestWithContext(ctx, method, f.servers.VaultAddress()+"/v1/"+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("X-Vault-Token", f.VaultToken())
	r.Close = true
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// pick takes a value out of JSON.
func pick(t *testing.T, text string, path ...string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	for _, name := range path {
		v = v.(map[string]any)[name]
	}
	return v
}
